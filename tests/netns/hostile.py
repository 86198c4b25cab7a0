"""Hostile clients and those who must not feel them: attackers in processes and
under uids of their own, and a bystander who measures meanwhile."""
import contextlib
import json
import multiprocessing
import os
import re
import resource
import select
import socket
import statistics
import time

import lab as net

FORK = multiprocessing.get_context("fork")


@contextlib.contextmanager
def first_of_all(worker):
    """The worker and we come before whatever else this machine has to do: what
    attackers take from it otherwise than by their commands is not its fault."""
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    for pid in (worker, 0):
        os.setpriority(os.PRIO_PROCESS, pid, -15)
    yield
    os.setpriority(os.PRIO_PROCESS, 0, mine)


class Attacker:
    """func(*args) in a process of its own, as an ordinary user; result() waits
    for what it returns.  A func that is a generator stops at each yield until
    step() is called, which returns what was yielded."""

    def __init__(self, uid, func, *args, netns=None):
        self.pipe, theirs = FORK.Pipe()
        self.process = FORK.Process(target=self._run, args=(uid, func, args, netns, theirs), daemon=True)
        self.process.start()
        theirs.close()

    @staticmethod
    def _run(uid, func, args, netns, pipe):
        try:
            if netns is not None:
                net.enter_netns(netns)
            resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
            os.setpriority(os.PRIO_PROCESS, 0, 5)
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            made = func(*args)
            if hasattr(made, "__next__"):
                for value in made:
                    pipe.send((value, None))
                    pipe.recv()
                made = None
            pipe.send((made, None))
        except Exception as exc:    # handed to the test, whatever it is
            pipe.send((None, repr(exc)))

    def result(self, timeout=60):
        assert self.pipe.poll(timeout), "the attacker does not end"
        value, failed = self.pipe.recv()
        assert failed is None, failed
        return value

    def step(self, timeout=60):
        self.pipe.send(None)
        return self.result(timeout)

    def end(self):
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.end()


# ---- talking ----

def connect(path, timeout=20):
    """A control connection; path may be (address, port)."""
    sock = socket.socket(socket.AF_UNIX if isinstance(path, str) else socket.AF_INET)
    # A timeout makes it non-blocking, and then a full backlog is an error.
    sock.connect(path)
    sock.settimeout(timeout)
    return sock


def lines_until(sock, last):
    """What is said, up to a line that fits the pattern or the end of file."""
    text = b""
    while not re.search(last, text, re.M):
        part = sock.recv(65536)
        if not part:
            break
        text += part
    return text


def everything(sock):
    """What is said until the end of file; a reset is an end as well."""
    text = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while part := sock.recv(65536):
            text += part
    return text


def ends_with(text, pattern):
    """Whether it does; what it is instead is worth seeing."""
    if re.search(pattern, text) is None:
        raise AssertionError("%r is not at the end of %r" % (pattern, text[-400:]))
    return True


def take(sock, size):
    """So many bytes."""
    text = b""
    while len(text) < size and (part := sock.recv(65536)):
        text += part
    return text


def told(stream, pattern, times):
    """Reads lines until so many of them fit; the end of file is a failure."""
    for _ in range(times):
        while not re.match(pattern, line := stream.readline()):
            assert line, "the session was cut"
    return True


def endings(socks):
    """What each was told and how many of each kind, once those that were
    refused have been closed and nothing comes any more."""
    poll, told = select.epoll(), {s.fileno(): b"" for s in socks}
    by_fd = {s.fileno(): s for s in socks}
    for fd in told:
        poll.register(fd, select.EPOLLIN)
    while ready := poll.poll(1):
        for fd, _ in ready:
            part = by_fd[fd].recv(4096)
            told[fd] += part
            if not part:
                poll.unregister(fd)
    kinds = {}
    for text in told.values():
        kinds[text] = kinds.get(text, 0) + 1
    return kinds


def pump(sock, data, seconds):
    """Sends data again and again as fast as it is taken, for so long; how many
    bytes went."""
    sock.setblocking(False)
    sent, at, deadline = 0, 0, time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([], [sock], [], left)[1]:
            n = sock.send(data[at:at + 65536])
            sent, at = sent + n, (at + n) % len(data)
    return sent


class Floods:
    """Many connections that send as fast as they can and read what comes."""

    def __init__(self, path, how_many, data):
        self.data, self.poll, self.at = data, select.epoll(), {}
        self.socks = {}
        for _ in range(how_many):
            sock = connect(path, None)
            sock.setblocking(False)
            self.socks[sock.fileno()], self.at[sock.fileno()] = sock, 0
            self.poll.register(sock, select.EPOLLIN | select.EPOLLOUT)

    def _one(self, fd, events):
        sock, at = self.socks[fd], self.at[fd]
        try:
            if events & select.EPOLLIN:
                sock.recv(1 << 20)
            if events & select.EPOLLOUT:
                self.at[fd] = (at + sock.send(self.data[at:at + 16384])) % len(self.data)
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self.poll.unregister(fd)    # cut: its user held too much output

    def run(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for fd, events in self.poll.poll(0.05):
                self._one(fd, events)


# ---- who must not feel it ----

class Bystander:
    """An attached client with one long ping at a fixed pace."""
    INTERVAL = 0.02

    def __init__(self, pair, dst=net.DST[4]):
        self.sock = connect(pair.socket)
        self.stream = self.sock.makefile("rwb", buffering=0)
        self.stream.write(b"attach format json\n")
        self._until(lambda line, _: line == b"MORE\n")
        self.stream.write(b"ping -c 65535 -i %.2f -W 1 %s\n" % (self.INTERVAL, dst.encode()))
        self._until(lambda line, _: line.startswith(b"OK id-1"))

    def _until(self, good):
        while True:
            line, block = self.stream.readline(), b""
            assert line, "the bystander's session was cut"
            if line.startswith(b"DATA"):
                left = int(line.split()[1])
                while len(block) < left:
                    block += self.stream.read(left - len(block))
            if good(line, block):
                return block

    def end(self):
        """Ends the ping and returns its record."""
        self.stream.write(b"halt 1\n")
        block = self._until(lambda _, block: b'"type":"ping"' in block)
        self.stream.close()
        self.sock.close()
        return json.loads(block)


def judge(record, interval=Bystander.INTERVAL):
    """(probes, those without a reply, gaps between sends that were late by
    more than 20 ms, the longest gap in seconds)"""
    replies = record["responses"]
    sent = sorted(r["tx"]["sec"] + r["tx"]["usec"] / 1e6 for r in replies)
    gaps = [b - a for a, b in zip(sent, sent[1:])]
    lost = record["ping_sent"] - len({r["seq"] for r in replies})
    return len(sent), lost, sum(g > interval + 0.02 for g in gaps), max(gaps)


def ask_for(path, seconds, pause=0.005):
    """Milliseconds from command to reply, of a client that asks now and then."""
    took, deadline = [], time.monotonic() + seconds
    with connect(path) as sock:
        while time.monotonic() < deadline:
            start = time.monotonic()
            sock.sendall(b"get pid\n")
            assert lines_until(sock, rb"^OK pid \d+$")
            took.append((time.monotonic() - start) * 1e3)
            time.sleep(pause)
    return took


def quantiles(took):
    """Median, 99th percentile and worst."""
    return statistics.median(took), statistics.quantiles(took, n=100)[98], max(took)


# ---- the worker's memory ----

def memory(pid, peak=False):
    """Kilobytes: what is in memory, or the most since clear_peak."""
    with open("/proc/%d/status" % pid) as lines:
        return int(re.search(r"%s:\s+(\d+)" % ("VmHWM" if peak else "VmRSS"), lines.read()).group(1))


def clear_peak(pid):
    with open("/proc/%d/clear_refs" % pid, "w") as out:
        out.write("5")


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))
