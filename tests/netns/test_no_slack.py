"""No slack in the two system call lists: each row of --print-sandbox is used by
a process that has shut itself in, or its reason to be there although these
workloads cannot reach it is written below."""
import os
import re
import signal
import socket
import struct
import subprocess
import time

import pytest

import lab as net
import pair as pair_module
from boundary import FAR4, Net, activated_privd, run
from test_boundary_life import HELLO, Peer
from test_service import status
from test_sources import Service, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: sudo ./start test")

PROGRAMS = ("vantage-privd", "vantage-workerd")
ROW = re.compile(r"allow (\w+)((?: arg\d(?:&0x[0-9a-f]+)?=\w+)*)")
ARG = re.compile(r"arg(\d)(?:&(0x[0-9a-f]+))?=(\w+)")
LINE = re.compile(r"(\d+) +(.*)")
CALL = re.compile(r"(\w+)\((.*?)(?:\) += (.*))?$")

# What no workload here reaches, and why it is there all the same.
REASONS = {
    ("vantage-privd", "socket arg0=2 arg1=526338 arg2=0"): "a kernel without IPv6 (ipv6.disable=1)",
    ("vantage-privd", "socket arg0=2 arg1=526337 arg2=0"): "a kernel without IPv6 (ipv6.disable=1)",
    ("vantage-workerd", "epoll_wait"): "libuv has this or epoll_pwait, by version and machine",
    ("vantage-workerd", "epoll_pwait"): "libuv has this or epoll_wait, by version and machine",
    ("vantage-workerd", "mremap"): "realloc of a large block; most runs see it, where malloc puts blocks is its affair",
    ("vantage-workerd", "clock_gettime"): "a clock source that the vDSO cannot read (hpet, acpi_pm)",
}


def rows_of(name):
    """The rows as they are printed, and what each wants of a call's arguments."""
    out = run(pair_module.program(name), "--print-sandbox").stdout
    rows = {}
    for call, args in ROW.findall(out):
        wanted = [(int(i), int(mask or "0xffffffff", 16), int(value, 0)) for i, mask, value in ARG.findall(args)]
        rows[call + args] = (call, wanted)
    return rows


class Trace:
    """Every call of a process and its children, arguments as bare numbers."""

    def __init__(self, folder, name):
        self.path = str(folder / name)
        # -D: the traced one stays the child that it would be, with its own
        # process id, and gets the signals that are sent to it.
        self.words = ["strace", "-D", "-f", "-q", "-e", "signal=none", "-e", "raw=!execve", "-o", self.path]

    def lines(self):
        """Whole calls: strace breaks off those that another process's lines part."""
        begun = {}
        with open(self.path) as text:
            for pid, line in (LINE.match(one).groups() for one in text):
                resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", line)
                if line.endswith("<unfinished ...>"):
                    begun[pid] = line[:-len("<unfinished ...>")]
                    continue
                yield pid, begun.pop(pid, "") + resumed[1] if resumed else line
        yield from begun.items()    # never came back: exit_group

    def finished(self):
        """Whether strace has seen everybody's end."""
        pids, ended = set(), set()
        for pid, line in self.lines():
            (ended if line.startswith("+++ ") else pids).add(pid)
        return pids and pids <= ended

    def calls(self):
        """(program, name, arguments) of each call from behind a shut sandbox."""
        deadline = time.monotonic() + 20
        while not self.finished() and time.monotonic() < deadline:
            time.sleep(0.1)
        program, shut = {}, set()
        for pid, line in self.lines():
            call = CALL.match(line)
            if call is None:
                continue
            name, args, result = call.groups()
            if name == "execve":
                program[pid] = next((p for p in PROGRAMS if "/%s\"" % p in args.partition(", ")[0]), None)
                shut.discard(pid)
            elif name == "seccomp" and args.startswith("0x1,") and result.startswith("0"):
                shut.add(pid)   # SECCOMP_SET_MODE_FILTER
            elif pid in shut and program.get(pid):
                yield program[pid], name, [int(a, 16) for a in args.split(",") if a.strip()]


class TracedLab:
    """A lab in which privd, and so its worker, is traced."""

    def __init__(self, lab, trace):
        self.lab, self.trace = lab, trace

    def __getattr__(self, name):
        return getattr(self.lab, name)

    def popen(self, node, argv, **kw):
        traced = os.path.basename(argv[0]) == "vantage-privd"
        return self.lab.popen(node, (self.trace.words if traced else []) + argv, **kw)


def measure(service):
    """Both families, ports of both kinds, and more random bits than were drawn
    before the sandbox shut."""
    done = service.run(["trace -P udp -s 40001 -w 1 -q 1 " + net.DST[4],
                        "trace -P tcp -s 40001 -d 80 -w 1 -q 1 " + net.DST[6],
                        "ping -c 2 -i 0.1 " + net.DST[6], "ping -c 70 -i 0.01 " + net.DST[4]])
    assert sorted(r["type"] for r in done) == ["ping", "ping", "trace", "trace"]


def keep_files(service):
    """A managed source from a list into a file."""
    service.put("list", [net.DST[4], net.ALIAS[4]])
    ctl = service.control()
    assert ctl.say("outfile open name o file o.warts mode truncate") == "OK"
    assert ctl.say('source add name s command "ping -c 1 -o 1" file list outfile o') == "OK source added"
    wait_for(lambda: ctl.say("source list") == "OK")
    assert ctl.say("outfile close o") == "OK"
    assert "ping from" in service.dump("o.warts")
    ctl.close()


def overrun_the_ring(lab, service):
    """More replies than the ring holds, while the worker cannot look."""
    pid = service.worker_pid()
    child = service.popen(["-I", "ping -c 30 -i 0.1 " + net.DST[4]], stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    os.kill(pid, signal.SIGSTOP)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 1, 0, socket.inet_aton(net.DST[4]),
                         socket.inet_aton("192.0.2.33"))
    reply = header + struct.pack("!BBHHH", 0, 0, 0, pid & 0xffff, 1)

    def flood():
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            for _ in range(20000):
                raw.sendto(reply, ("192.0.2.33", 0))

    net.in_netns(lab.name("r1"), flood)
    os.kill(pid, signal.SIGCONT)
    assert child.wait(20) == 0
    ctl = service.control()
    assert re.search(r'"ring":[1-9]', ctl.say("status"))
    ctl.close()


def stop_and_go(service):
    """Both sleeping calls broken off and resumed; privd first, which hears of
    what its child does."""
    for pid in (service.privd.pid, service.worker_pid()):
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: status(pid)["State"][0] in "Tt")
        os.kill(pid, signal.SIGCONT)
    measure(service)


def read_late(service):
    """More answers than four clients take: buffers side by side, of which one
    at most can grow where it is."""
    clients = [service.control() for _ in range(4)]
    for ctl in clients:
        ctl.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                ctl.sock.send(b"help\n" * 100)
    for ctl in clients:
        ctl.sock.settimeout(20)
        ctl.sock.shutdown(socket.SHUT_WR)
    for ctl in clients:
        assert len(ctl.read()) > 512 * 1024
        ctl.close()


def serve(lab, trace):
    """A service in its whole life, told by a signal to end."""
    with Service(TracedLab(lab, trace)) as service:
        read_late(service)  # first: once a large block was given back, malloc maps fewer
        stop_and_go(service)
        measure(service)
        keep_files(service)
        overrun_the_ring(lab, service)
        lab.run("t", ["ip", "link", "add", "vnew", "type", "dummy"])
        os.kill(service.worker_pid(), signal.SIGTERM)
        service.privd.wait(10)
    lab.run("t", ["ip", "link", "del", "vnew"])


def grow_the_routing_table(small, trace):
    """A host with next to no routes gets sixty more under a running worker."""
    command = ["ping -c 20 -i 0.1 " + FAR4, "ping -c 1 -o 1 " + FAR4]
    child = subprocess.Popen(["ip", "netns", "exec", small.near, *trace.words,
                              *pair_module.private_argv(["-w", "1", "-O", "json", "-I", *command])],
                             stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    net.ip_batch(["route add 203.0.113.%d/32 via %s" % (i, FAR4) for i in range(60)], small.near)
    out, _ = child.communicate(timeout=30)
    assert child.returncode == 0
    assert [r["statistics"]["replies"] for r in pair_module.records(out)] == [20, 1]


def come_and_go(small, trace, folder):
    """privd as its unit starts it: a worker, a stranger, the next worker."""
    with activated_privd(small, folder, trace.words) as (_, path, _):
        for user in ("vantage", "nobody", "vantage"):
            peer = Peer(path, user)
            assert (peer.ask(HELLO, 1) == "end") == (user == "nobody")
            peer.close()


@pytest.fixture
def small():
    """Two hosts without IPv6, the near one with few routes."""
    it = Net("s")
    run("ip", "netns", "exec", it.near, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
    yield it
    it.close()


def test_each_row_is_used_or_has_its_reason(lab, small, tmp_path):
    traces = [Trace(tmp_path, name) for name in ("service", "routes", "activated")]
    serve(lab, traces[0])
    grow_the_routing_table(small, traces[1])
    come_and_go(small, traces[2], tmp_path)
    rows = {program: rows_of(program) for program in PROGRAMS}
    used, strange = set(), set()
    for trace in traces:
        for program, name, args in trace.calls():
            fitting = [row for row, (call, wanted) in rows[program].items() if call == name
                       and all(args[i] & mask == value for i, mask, value in wanted)]
            used.update((program, row) for row in fitting)
            if not fitting:
                strange.add((program, name, *args))
    idle = {(program, row) for program in PROGRAMS for row in rows[program]} - used
    assert strange == set()
    assert idle - set(REASONS) == set()
    assert ("vantage-workerd", "epoll_wait") in used or ("vantage-workerd", "epoll_pwait") in used
