"""Two network namespaces and a privd in one of them, with a stand-in for its
worker that the tests drive.  For test_boundary*.py."""
import contextlib
import ctypes
import json
import os
import pathlib
import select
import socket
import struct
import subprocess
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("VANTAGE_BUILD", HERE.parents[1] / "build"))
PRIVD = str(BUILD / "privd" / "vantage-privd")
HOSTILE = str(HERE / "attack" / "hostile.py")
INSIDE = str(BUILD / "tests" / "netns" / "attack" / "vantage-attack-inside")
LIBC = ctypes.CDLL(None, use_errno=True)
NEAR4, FAR4, NEAR6, FAR6 = "198.51.100.1", "198.51.100.2", "2001:db8:5::1", "2001:db8:5::2"
MARK_TX = 0x56010000

def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


@contextlib.contextmanager
def inside(name):
    """This thread in another network namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/" + name, os.O_RDONLY)
    try:
        assert LIBC.setns(there, 0x40000000) == 0
        yield
    finally:
        assert LIBC.setns(home, 0x40000000) == 0
        os.close(home)
        os.close(there)


class Net:
    """Two hosts and a wire: the near one is ours, the far one sees what arrives."""

    def __init__(self, letter):
        tag = "vb%d%s" % (os.getpid(), letter)
        self.near, self.far, self.dev = tag + "a", tag + "b", "vb0"
        for ns in (self.near, self.far):
            run("ip", "netns", "add", ns)
            with inside(ns):
                for conf in ("all", "default"):
                    pathlib.Path("/proc/sys/net/ipv6/conf/%s/accept_dad" % conf).write_text("0")
            run("ip", "-n", ns, "link", "set", "lo", "up")
        run("ip", "-n", self.near, "link", "add", self.dev, "type", "veth", "peer", "name", self.dev, "netns", self.far)
        for ns, a4, a6 in ((self.near, NEAR4, NEAR6), (self.far, FAR4, FAR6)):
            run("ip", "-n", ns, "addr", "add", a4 + "/24", "dev", self.dev)
            run("ip", "-n", ns, "addr", "add", a6 + "/64", "dev", self.dev, "nodad")
            run("ip", "-n", ns, "link", "set", self.dev, "up")
        for ns, gw4, gw6 in ((self.near, FAR4, FAR6),):
            run("ip", "-n", ns, "route", "add", "default", "via", gw4)
            run("ip", "-n", ns, "-6", "route", "add", "default", "via", gw6)
        with inside(self.far):
            self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)

        for dst in (FAR4, FAR6):  # neighbours known, so that no probe waits for them
            run("ip", "netns", "exec", self.near, "ping", "-c", "1", "-W", "5", dst)

    def drain(self, wait=0.15):
        """Packets that arrived from the near host since last asked, control traffic left out."""
        out = []
        while select.select([self.wire], [], [], wait)[0]:
            data, addr = self.wire.recvfrom(65536)
            if addr[2] == 4:  # leaving the far host
                continue
            if addr[1] == 0x0806 or (addr[1] == 0x86dd and data[6] == 58 and data[40] in range(130, 138)) or \
                    (addr[1] == 0x86dd and data[6] == 0):
                continue
            out.append(data)
        return out

    def close(self):
        self.wire.close()
        for ns in (self.near, self.far):
            run("ip", "netns", "del", ns, check=False)

    def table(self):
        return run("ip", "netns", "exec", self.near, "nft", "list", "tables").stdout


class Pair:
    """privd with a stand-in for its worker, driven over the client's socket."""

    def __init__(self, net, program, *args, client=True, before=(), inherit=()):
        self.log = tempfile.TemporaryFile("w+")
        self.ours, theirs = socket.socketpair()
        words = ["ip", "netns", "exec", net.near, *before, PRIVD, "--foreground", "--workerd", program]
        if client:
            words += ["--client-fd", str(theirs.fileno())]
        self.proc = subprocess.Popen(words + list(args), pass_fds=[theirs.fileno(), *inherit],
                                     stderr=self.log)
        theirs.close()
        self.lines = self.ours.makefile("rwb", buffering=0)

    def do(self, text, timeout=20):
        self.ours.settimeout(timeout)
        try:
            self.lines.write(text.encode() + b"\n")
            line = self.lines.readline()
        except (BrokenPipeError, ConnectionResetError):
            line = b""
        if not line:
            raise EOFError(self.said())
        return json.loads(line) if line[:5] != b"done " else int(line[5:])

    def said(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def wait(self, timeout=10):
        return self.proc.wait(timeout)

    def leave(self):
        """The client goes; a stand-in then ends, as the worker would."""
        self.lines.close()
        self.ours.close()

    def close(self):
        self.leave()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.proc.wait(5)
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        self.log.close()


@contextlib.contextmanager
def pair_of(net, program=HOSTILE, *args, **kw):
    it = Pair(net, program, *args, **kw)
    try:
        yield it
    finally:
        it.close()


def failing(call, how):
    """strace makes one call of privd's fail, or claims that it was made."""
    return ["strace", "-D", "-q", "-e", "signal=none", "-o", "/dev/null", "-e", "trace=" + call,
            "-e", "inject=%s:%s" % (call, how)]


@contextlib.contextmanager
def activated_privd(net, folder, before=()):
    """privd as its unit starts it: never root, three ambient capabilities, a
    listening socket on descriptor 3.  The process, the socket's name, the log."""
    path = str(folder / "privd.sock")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(path)
    os.chmod(path, 0o666)
    listening.listen(8)
    caps = "-all,+net_raw,+net_admin,+bpf"
    script = ("exec 3<&%d; LISTEN_FDS=1 LISTEN_PID=$$ exec ip netns exec %s setpriv --reuid vantage-priv --regid "
              "vantage-priv --clear-groups --inh-caps %s --ambient-caps %s --bounding-set %s --no-new-privs \"$0\""
              % (listening.fileno(), net.near, caps, caps, caps))
    log = open(folder / "log", "w+")
    proc = subprocess.Popen([*before, "bash", "-c", script, PRIVD], pass_fds=[listening.fileno()], stderr=log)
    listening.close()
    try:
        yield proc, path, lambda: (folder / "log").read_text()
    finally:
        proc.terminate()
        status = proc.wait(10)
        log.close()
    assert status == 0, (folder / "log").read_text()
    assert "vantage" not in net.table()


def far_send(net, packet, to=NEAR4):
    with inside(net.far):
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
            s.sendto(packet, (to, 0))


def build(text):
    """The attacker's own packet builders, run here."""
    space = {"socket": socket, "struct": struct}
    source = (HERE / "attack" / "hostile.py").read_text()
    exec(source[source.index("def ip4"):source.index("def send(")], space)
    return eval(text, space)


@pytest.fixture(scope="module")
def net():
    it = Net("x")
    yield it
    it.close()


@pytest.fixture(scope="module")
def quiet():
    """Another such net, where no pair lives but the test's own."""
    it = Net("y")
    yield it
    it.close()


@pytest.fixture(scope="module")
def hostile(net):
    """One captured worker with everything that a worker gets."""
    with pair_of(net) as it:
        assert it.do("take('raw4', RAW, 1), take('raw6', RAW, 2), take('ring', RING), take('route', ROUTE)") == [0] * 4
        assert it.do("ring_map()") == 0
        yield it
