"""The privilege boundary from its wrong side: a hostile worker with the real
descriptors, and the real sandbox around somebody who tries to leave it.  What
was refused must also be absent on the wire, seen from the far namespace."""
import contextlib
import ctypes
import errno
import json
import os
import pathlib
import random
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("VANTAGE_BUILD", HERE.parents[1] / "build"))
PRIVD = str(BUILD / "privd" / "vantage-privd")
HOSTILE = str(HERE / "attack" / "hostile.py")
INSIDE = str(BUILD / "tests" / "netns" / "attack" / "vantage-attack-inside")
LIBC = ctypes.CDLL(None, use_errno=True)
NEAR4, FAR4, NEAR6, FAR6 = "198.51.100.1", "198.51.100.2", "2001:db8:5::1", "2001:db8:5::2"
MARK_TX = 0x56010000

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: sudo ./start test")


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

    def __init__(self, net, program, *args, client=True):
        self.log = tempfile.TemporaryFile("w+")
        self.ours, theirs = socket.socketpair()
        words = ["ip", "netns", "exec", net.near, PRIVD, "--foreground", "--workerd", program]
        if client:
            words += ["--client-fd", str(theirs.fileno())]
        self.proc = subprocess.Popen(words + list(args), pass_fds=[theirs.fileno()], stderr=self.log)
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


@contextlib.contextmanager
def pair_of(net, program=HOSTILE, *args):
    it = Pair(net, program, *args)
    try:
        yield it
    finally:
        it.close()


@pytest.fixture(scope="module")
def hostile(net):
    """One captured worker with everything that a worker gets."""
    with pair_of(net) as it:
        assert it.do("take('raw4', RAW, 1), take('raw6', RAW, 2), take('ring', RING), take('route', ROUTE)") == [0] * 4
        assert it.do("ring_map()") == 0
        yield it


# --- what may leave ---

SENT = {
    "udp": ("ip4(%r, %r)" % (NEAR4, FAR4), FAR4),
    "udp6": ("ip6(%r, %r)" % (NEAR6, FAR6), FAR6),
    "tcp": ("ip4(%r, %r, 6, bytes(20))" % (NEAR4, FAR4), FAR4),
    "echo": ("ip4(%r, %r, 1, struct.pack('!BBHHH', 8, 0, 0, 7, 1))" % (NEAR4, FAR4), FAR4),
    "timestamp": ("ip4(%r, %r, 1, struct.pack('!BBHHH', 13, 0, 0, 7, 1) + bytes(12))" % (NEAR4, FAR4), FAR4),
    "echo6": ("ip6(%r, %r, 58, struct.pack('!BBHHH', 128, 0, 0, 7, 1))" % (NEAR6, FAR6), FAR6),
    "fragmentation needed": ("ip4(%r, %r, 1, struct.pack('!BBHHH', 3, 4, 0, 0, 1400) + bytes(28))" % (NEAR4, FAR4),
                             FAR4),
    "too big": ("ip6(%r, %r, 58, struct.pack('!BBHI', 2, 0, 0, 1300) + bytes(48))" % (NEAR6, FAR6), FAR6),
    "record route": ("ip4(%r, %r, options=bytes([7, 39, 4]) + bytes(37))" % (NEAR4, FAR4), FAR4),
    "timestamp option": ("ip4(%r, %r, options=bytes([68, 40, 5, 0]) + bytes(36))" % (NEAR4, FAR4), FAR4),
    "df": ("ip4(%r, %r, frag=0x4000)" % (NEAR4, FAR4), FAR4),
    "fragment header": ("ip6(%r, %r, 44, bytes([17, 0, 0, 0, 0, 0, 0, 9]) + struct.pack('!HHHH', 1, 2, 8, 1))"
                        % (NEAR6, FAR6), FAR6),
    "later fragment": ("ip6(%r, %r, 44, bytes([58, 0, 0, 64, 0, 0, 0, 9]) + bytes(8))" % (NEAR6, FAR6), FAR6),
    "hop limit one": ("ip4(%r, '203.0.113.9', ttl=1)" % NEAR4, "203.0.113.9"),
    "router in the address": ("ip4(%r, '203.0.113.9')" % NEAR4, FAR4),
}


@pytest.mark.parametrize("what", SENT)
def test_what_is_permitted_leaves(net, hostile, what):
    packet, to = SENT[what]
    net.drain(0.01)
    assert hostile.do("send(%r, %s, %r)" % ("raw6" if ":" in to else "raw4", packet, to)) == 0
    assert len(net.drain()) == 1


REFUSED = {
    "source of the neighbour": ("ip4(%r, %r)" % (FAR4, FAR4), FAR4),
    "source of a stranger": ("ip4('192.0.2.77', %r)" % FAR4, FAR4),
    "source on loopback": ("ip4('127.0.0.1', %r)" % FAR4, FAR4),
    "source of a stranger 6": ("ip6('2001:db8:99::1', %r)" % FAR6, FAR6),
    "source ::1": ("ip6('::1', %r)" % FAR6, FAR6),
    "mapped source": ("ip6('::ffff:192.0.2.1', %r)" % FAR6, FAR6),
    "loose source route": ("ip4(%r, %r, options=bytes([131, 7, 4, 10, 0, 0, 1, 0]))" % (NEAR4, FAR4), FAR4),
    "strict source route": ("ip4(%r, %r, options=bytes([137, 7, 4, 10, 0, 0, 1, 0]))" % (NEAR4, FAR4), FAR4),
    "source route behind record route": (
        "ip4(%r, %r, options=bytes([7, 7, 4, 0, 0, 0, 0, 131, 7, 4, 10, 0, 0, 1, 0, 0]))" % (NEAR4, FAR4), FAR4),
    "first fragment": ("ip4(%r, %r, frag=0x2000)" % (NEAR4, FAR4), FAR4),
    "later fragment": ("ip4(%r, %r, frag=5)" % (NEAR4, FAR4), FAR4),
    "routing header": ("ip6(%r, %r, 43, bytes([17, 2, 0, 1]) + bytes(4) + bytes(16) + bytes(8))" % (NEAR6, FAR6), FAR6),
    "routing header behind a fragment header": (
        "ip6(%r, %r, 44, bytes([43, 0, 0, 0, 0, 0, 0, 9]) + bytes([17, 2, 0, 1]) + bytes(4) + bytes(16) + bytes(8))"
        % (NEAR6, FAR6), FAR6),
    "chain cut short": ("ip6(%r, %r, 44, bytes([60, 0, 0, 1, 0, 0, 0, 9]) + bytes([43, 9]) + bytes(6))"
                        % (NEAR6, FAR6), FAR6),
    "tunnel 4": ("ip4(%r, %r, 4, bytes(20))" % (NEAR4, FAR4), FAR4),
    "tunnel gre": ("ip4(%r, %r, 47, bytes(20))" % (NEAR4, FAR4), FAR4),
    "tunnel 6": ("ip6(%r, %r, 41, bytes(40))" % (NEAR6, FAR6), FAR6),
    "icmp redirect": ("ip4(%r, %r, 1, bytes([5, 1]) + bytes(26))" % (NEAR4, FAR4), FAR4),
    "icmp unreachable": ("ip4(%r, %r, 1, bytes([3, 1]) + bytes(26))" % (NEAR4, FAR4), FAR4),
    "icmp echo reply": ("ip4(%r, %r, 1, bytes(8))" % (NEAR4, FAR4), FAR4),
    "router advertisement": ("ip6(%r, %r, 58, bytes([134]) + bytes(15))" % (NEAR6, FAR6), FAR6),
    "version 6 in 4": ("ip4(%r, %r, first=0x65)" % (NEAR4, FAR4), FAR4),
    "version 4 in 6": ("ip6(%r, %r, first=0x40)" % (NEAR6, FAR6), FAR6),
    "multicast": ("ip4(%r, '224.0.0.1')" % NEAR4, FAR4),
    "multicast 6": ("ip6(%r, 'ff02::1')" % NEAR6, FAR6),
    "broadcast": ("ip4(%r, '198.51.100.255')" % NEAR4, FAR4),
    "this host": ("ip4(%r, %r)" % (NEAR4, NEAR4), NEAR4),
    "loopback": ("ip4('127.0.0.1', '127.0.0.1')", "127.0.0.1"),
    "loopback 6": ("ip6('::1', '::1')", "::1"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_forbidden_does_not(net, hostile, what):
    packet, to = REFUSED[what]
    net.drain(0.01)
    assert hostile.do("send(%r, %s, %r)" % ("raw6" if ":" in to else "raw4", packet, to)) in (
        errno.EPERM, errno.EINVAL, errno.EACCES)
    assert net.drain() == []


# --- what the holder of a descriptor can do to it ---

FIXED = {
    "mark": "option(%r, 1, SO_MARK, 0)",
    "detach filter": "option(%r, 1, 27, 0)",
    "unlock filter": "option(%r, 1, SO_LOCK_FILTER, 0)",
    "replace filter": "option(%r, 1, 26, struct.pack('HxxxxxxQ', 1, 0))",
    "transparent": "option(%r, 0, 19, 1)",
    "priority": "option(%r, 1, 12, 7)",
    "buffers by force": "option(%r, 1, 33, 1 << 28)",
}


@pytest.mark.parametrize("name", ["raw4", "raw6", "ring"])
@pytest.mark.parametrize("what", FIXED)
def test_descriptor_cannot_be_changed(hostile, name, what):
    assert hostile.do(FIXED[what] % name) != 0


def test_mark_by_control_message_is_refused(hostile):
    assert hostile.do("try_call(lambda: fds['raw4'].sendmsg([ip4(%r, '192.0.2.5')], [(1, SO_MARK, bytes(4))], 0, (%r, 0)))"
                      % (NEAR4, FAR4)) == errno.EPERM


def test_without_header_inclusion_the_policy_is_the_same(net, hostile):
    hostile.do("option('raw4', 0, 3, 0)")
    net.drain(0.01)
    assert hostile.do("send('raw4', bytes(40), %r)" % FAR4) == errno.EPERM
    assert net.drain() == []
    hostile.do("option('raw4', 0, 3, 1)")


@pytest.mark.parametrize("payload", ["ip4('192.0.2.1', %r)" % FAR4, "bytes(60)"])
def test_the_ring_cannot_send(net, hostile, payload):
    net.drain(0.01)
    assert hostile.do("frame('ring', %r, %s)" % (net.dev, payload)) != 0
    assert hostile.do("frame('ring', %r, %s, 0x88b5)" % (net.dev, payload)) != 0
    assert hostile.do("frame('ring', 'lo', %s)" % payload) != 0
    assert net.drain() == []


def test_the_ring_cannot_send_on_a_new_or_renamed_interface(net, hostile):
    run("ip", "-n", net.near, "link", "add", "vbnew", "type", "veth", "peer", "name", "vbpeer")
    run("ip", "-n", net.near, "link", "set", "vbpeer", "up")
    run("ip", "-n", net.near, "link", "set", "vbnew", "up")
    time.sleep(0.2)
    assert hostile.do("frame('ring', 'vbnew', bytes(60))") == errno.ENOBUFS
    run("ip", "-n", net.near, "link", "set", "vbnew", "down")
    run("ip", "-n", net.near, "link", "set", "vbnew", "name", "vbother")
    run("ip", "-n", net.near, "link", "set", "vbother", "up")
    time.sleep(0.2)
    assert hostile.do("frame('ring', 'vbother', bytes(60))") == errno.ENOBUFS
    run("ip", "-n", net.near, "link", "del", "vbother")


def test_routing_socket_may_only_look(net, hostile):
    assert hostile.do("netlink_add_address('route')") == errno.EPERM
    assert "10.9.9.9" not in run("ip", "-n", net.near, "addr").stdout


def test_own_sockets_and_files_of_root_are_out_of_reach(hostile):
    assert hostile.do("try_call(lambda: socket.socket(2, 3, 255))") == errno.EPERM
    assert hostile.do("try_call(lambda: socket.socket(17, 2, 0))") == errno.EPERM
    assert hostile.do("try_call(lambda: os.kill(os.getppid(), 9))") == errno.EPERM


# --- what may come in ---

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


def heard(net, hostile, packet, to=NEAR4):
    hostile.do("ring_read()")
    far_send(net, build(packet), to)
    time.sleep(0.1)
    return [bytes.fromhex(p[2]) for p in hostile.do("ring_read()") if p[0] == 0]


QUOTE4 = "ip4(%r, '203.0.113.1', %s)"
INBOUND = {
    "udp": (2, 41000, "ip4(%r, %r, 17, struct.pack('!HHHH', 53, 41000, 8, 0))" % (FAR4, NEAR4), NEAR4),
    "tcp": (1, 41001, "ip4(%r, %r, 6, struct.pack('!HH', 80, 41001) + bytes(16))" % (FAR4, NEAR4), NEAR4),
    "echo reply": (3, 777, "ip4(%r, %r, 1, struct.pack('!BBHHH', 0, 0, 0, 777, 1))" % (FAR4, NEAR4), NEAR4),
    "timestamp reply": (3, 777, "ip4(%r, %r, 1, struct.pack('!BBHHH', 14, 0, 0, 777, 1) + bytes(12))"
                        % (FAR4, NEAR4), NEAR4),
    "exceeded udp": (2, 41000, "ip4(%r, %r, 1, bytes([11, 0]) + bytes(6) + ip4(%r, '203.0.113.1', 17, "
                     "struct.pack('!HHHH', 41000, 53, 8, 0)))" % (FAR4, NEAR4, NEAR4), NEAR4),
    "exceeded udp with options": (
        2, 41000, "ip4(%r, %r, 1, bytes([11, 0]) + bytes(6) + ip4(%r, '203.0.113.1', 17, "
        "struct.pack('!HHHH', 41000, 53, 8, 0), options=bytes([7, 39, 4]) + bytes(37)))" % (FAR4, NEAR4, NEAR4), NEAR4),
    "unreachable echo": (3, 777, "ip4(%r, %r, 1, bytes([3, 1]) + bytes(6) + ip4(%r, '203.0.113.1', 1, "
                         "struct.pack('!BBHHH', 8, 0, 0, 777, 1)))" % (FAR4, NEAR4, NEAR4), NEAR4),
    "udp6": (2, 41000, "ip6(%r, %r, 17, struct.pack('!HHHH', 53, 41000, 8, 1))" % (FAR6, NEAR6), NEAR6),
    "echo reply 6": (3, 777, "ip6(%r, %r, 58, struct.pack('!BBHHH', 129, 0, 0, 777, 1))" % (FAR6, NEAR6), NEAR6),
    "exceeded 6": (1, 41001, "ip6(%r, %r, 58, bytes([3, 0]) + bytes(6) + ip6(%r, '2001:db8:7::1', 6, "
                   "struct.pack('!HH', 41001, 80) + bytes(16)))" % (FAR6, NEAR6, NEAR6), NEAR6),
    "exceeded first fragment 6": (
        2, 41000, "ip6(%r, %r, 58, bytes([3, 0]) + bytes(6) + ip6(%r, '2001:db8:7::1', 44, "
        "bytes([17, 0, 0, 0, 0, 0, 0, 9]) + struct.pack('!HHHH', 41000, 53, 8, 1)))" % (FAR6, NEAR6, NEAR6), NEAR6),
    "exceeded later fragment 6": (
        2, 41000, "ip6(%r, %r, 58, bytes([3, 0]) + bytes(6) + ip6(%r, '2001:db8:7::1', 44, "
        "struct.pack('!BBHHH', 17, 0, 64, 41000, 1) + bytes(8)))" % (FAR6, NEAR6, NEAR6), NEAR6),
    "behind hop-by-hop 6": (2, 41000, "ip6(%r, %r, 0, bytes([17, 0, 1, 4, 0, 0, 0, 0]) + "
                            "struct.pack('!HHHH', 53, 41000, 8, 1))" % (FAR6, NEAR6), NEAR6),
    "first fragment 6": (2, 41000, "ip6(%r, %r, 44, bytes([17, 0, 0, 1, 0, 0, 0, 9]) + "
                         "struct.pack('!HHHH', 53, 41000, 8, 1))" % (FAR6, NEAR6), NEAR6),
}


@pytest.mark.parametrize("what", INBOUND)
def test_the_ring_hears_what_is_reserved_and_nothing_else(net, hostile, what):
    proto, port, packet, to = INBOUND[what]
    hostile.do("ask(RELEASE, %d, %d)" % (proto, port))
    assert heard(net, hostile, packet, to) == []
    assert hostile.do("ask(RESERVE, %d, %d)" % (proto, port))[0] == 0
    sent = build(packet)
    got = heard(net, hostile, packet, to)
    assert len(got) == 1 and got[0][-8:] == sent[-8:]
    assert hostile.do("ask(RELEASE, %d, %d)" % (proto, port))[0] == 0
    assert heard(net, hostile, packet, to) == []


NOT_OURS = {
    "later fragment": "ip4(%r, %r, 17, struct.pack('!HHHH', 53, 41000, 8, 0), frag=3)" % (FAR4, NEAR4),
    "echo request": "ip4(%r, %r, 1, struct.pack('!BBHHH', 8, 0, 0, 777, 1))" % (FAR4, NEAR4),
    "other port": "ip4(%r, %r, 17, struct.pack('!HHHH', 41000, 41002, 8, 0))" % (FAR4, NEAR4),
    "tcp on the udp port": "ip4(%r, %r, 6, struct.pack('!HH', 80, 41000) + bytes(16))" % (FAR4, NEAR4),
    "cut off": "ip4(%r, %r, 17, bytes(2))" % (FAR4, NEAR4),
    "quote cut off": "ip4(%r, %r, 1, bytes([11, 0]) + bytes(6) + bytes([0x4f]) + bytes(19))" % (FAR4, NEAR4),
    "quote with a short header": "ip4(%r, %r, 1, bytes([11, 0]) + bytes(6) + bytes([0x41]) + bytes(40))" % (FAR4, NEAR4),
}


@pytest.mark.parametrize("what", NOT_OURS)
def test_the_ring_does_not_hear_strangers(net, hostile, what):
    assert hostile.do("ask(RESERVE, 2, 41000)")[0] == 0
    assert hostile.do("ask(RESERVE, 3, 777)")[0] == 0
    assert heard(net, hostile, NOT_OURS[what]) == []


def test_the_ring_shows_our_probes_as_they_left_and_only_ours(net, hostile):
    hostile.do("ring_read()")
    with inside(net.near), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"not a probe", (FAR4, 9))
    assert hostile.do("send('raw4', ip4(%r, %r, 17, struct.pack('!HHHH', 40000, 33435, 308, 0) + bytes(300)), %r)"
                      % (NEAR4, FAR4, FAR4)) == 0
    time.sleep(0.1)
    out = [p for p in hostile.do("ring_read()") if p[0] == 4]
    assert len(out) == 1
    assert out[0][3] == 328 and len(out[0][2]) == 2 * 128


# --- ports ---

def test_port_of_another_program_is_refused(net, hostile):
    with inside(net.near), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 41100))
        assert hostile.do("ask(RESERVE, 2, 41100)")[0] == errno.EADDRINUSE
    assert hostile.do("ask(RESERVE, 2, 41100)")[0] == 0
    with inside(net.near), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError) as e:
            other.bind(("0.0.0.0", 41100))
        assert e.value.errno == errno.EADDRINUSE
    assert hostile.do("ask(RELEASE, 2, 41100)")[0] == 0


def test_reserved_udp_port_sends_no_unreachable(net, hostile):
    packet = "ip4(%r, %r, 17, struct.pack('!HHHH', 53, 41200, 8, 0))" % (FAR4, NEAR4)
    net.drain(0.01)
    far_send(net, build(packet))
    assert [p[20] for p in net.drain()] == [3]
    assert hostile.do("ask(RESERVE, 2, 41200)")[0] == 0
    far_send(net, build(packet))
    assert net.drain() == []


def test_low_port_needs_the_configuration(hostile):
    assert hostile.do("ask(RESERVE, 1, 22)")[0] in (errno.EACCES, errno.EADDRINUSE)
    assert hostile.do("ask(PORT, 2, 133)")[0] == errno.EACCES
    assert hostile.do("ask(RESERVE, 2, 0)")[0] == errno.EINVAL


def test_holds_have_a_limit_and_can_be_given_back(quiet):
    with pair_of(quiet) as it:
        assert it.do("[ask(RESERVE, 3, p)[0] for p in range(4096)].count(0)", 60) == 4096
        assert it.do("ask(RESERVE, 3, 5000)")[0] == errno.EDQUOT
        assert it.do("ask(RELEASE, 3, 17)")[0] == 0
        assert it.do("ask(RESERVE, 3, 5000)")[0] == 0
        assert it.do("ask(RELEASE, 3, 17)")[0] == errno.ENOENT


# --- the channel ---

MALFORMED = {
    "empty but a byte": "b'x'",
    "no such request": "request(99)",
    "number zero": "request(0)",
    "one byte short": "request(RAW, 1)[:-1]",
    "one byte long": "request(RAW, 1) + b'x'",
    "a field short": "request(RAW)",
    "a field long": "request(RAW, 1, 1)",
    "family 0": "request(RAW, 0)",
    "family 3": "request(RAW, 3)",
    "other version": "request(HELLO, 2)",
    "port 65536": "request(RESERVE, 1, 65536)",
    "protocol 4": "request(RESERVE, 4, 1)",
    "listener 8": "request(LISTENER, 8)",
    "huge": "bytes(100000)",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_request_ends_the_session(quiet, what):
    with pair_of(quiet) as it:
        assert it.do("ask(HELLO, 1)")[0] == 0
        assert it.do("ask_raw(%s)" % MALFORMED[what]) == "end"
        assert "broke the rules" in it.said()


@pytest.mark.parametrize("count", [1, 2, 3, 200])
def test_stray_descriptors_end_the_session(quiet, count):
    with pair_of(quiet) as it:
        assert it.do("ask_raw(request(HELLO, 1), [3] * %d)" % count) == "end"
        assert "broke the rules" in it.said()


def test_asking_without_reading_ends_the_session(quiet):
    with pair_of(quiet) as it:
        assert it.do("try_call(lambda: [channel.send(request(ECHO, 1)) "
                     "for _ in range(100000)])", 60) in (errno.EPIPE, errno.ECONNRESET)


def test_quota_is_an_errno(quiet):
    with pair_of(quiet) as it:
        assert it.do("[ask(RING)[0] for _ in range(3)]") == [0, 0, errno.EDQUOT]
        assert it.do("ask(HELLO, 1)")[0] == 0


def test_descriptors_of_privd_stay_as_many(quiet):
    with pair_of(quiet) as it:
        pid = it.proc.pid
        assert it.do("ask(HELLO, 1)")[0] == 0
        before = len(os.listdir("/proc/%d/fd" % pid))
        assert it.do("all(os.close(ask(ECHO, n)[2]) is None for n in range(2000))", 60) is True
        assert it.do("[os.close(ask(RAW, 1)[2]) for n in range(16)]")
        assert len(os.listdir("/proc/%d/fd" % pid)) == before


# --- the policy's own knobs ---

def test_rate_is_kept(quiet):
    with pair_of(quiet, HOSTILE, "--max-pps", "1000") as it:
        it.do("take('raw4', RAW, 1)")
        quiet.drain(0.01)
        start = time.monotonic()
        passed = it.do("flood('raw4', ip4(%r, %r), %r, 20000)" % (NEAR4, FAR4, FAR4), 60)
        spent = time.monotonic() - start
        assert passed <= 1000 * spent + 84 + 50
        assert passed >= 84
        assert len(quiet.drain()) == passed


def test_spoofing_where_it_is_allowed(quiet):
    with pair_of(quiet, HOSTILE, "--spoof") as it:
        it.do("take('raw4', RAW, 1)")
        quiet.drain(0.01)
        assert it.do("send('raw4', ip4('192.0.2.77', %r), %r)" % (FAR4, FAR4)) == 0
        assert len(quiet.drain()) == 1
        assert it.do("send('raw4', ip4('192.0.2.77', %r, frag=0x2000), %r)" % (FAR4, FAR4)) == errno.EPERM
        assert it.do("send('raw4', ip4('127.0.0.1', %r), %r)" % (FAR4, FAR4)) == errno.EPERM


def test_local_where_it_is_allowed(quiet):
    with pair_of(quiet, HOSTILE, "--local") as it:
        it.do("take('raw4', RAW, 1), take('ring', RING), ring_map(), ask(RESERVE, 2, 40000)")
        assert it.do("send('raw4', ip4('127.0.0.1', '127.0.0.1'), '127.0.0.1')") == 0
        time.sleep(0.1)
        kinds = [(p[0], bytes.fromhex(p[2])[9]) for p in it.do("ring_read()")]
        assert kinds == [(4, 17), (0, 1)]  # as it left; the port unreachable. Nothing twice


def dnp_file(tmp_path, lines):
    path = tmp_path / "dnp"
    path.write_text("".join(line + "\n" for line in lines))
    return str(path)


def test_do_not_probe_prefixes(quiet, tmp_path):
    path = dnp_file(tmp_path, ["# who asked", "203.0.113.0/25", "203.0.113.77/26", "203.0.113.128/32 # one", "",
                               "2001:db8:dead::/48", "255.255.255.255", "0.0.0.0/8", "203.0.113.128/32"])
    with pair_of(quiet, HOSTILE, "--dnp", path) as it:
        it.do("take('raw4', RAW, 1), take('raw6', RAW, 2)")
        hits = ["203.0.113.0", "203.0.113.127", "203.0.113.128"]
        for dst in hits:
            assert it.do("send('raw4', ip4(%r, %r), %r)" % (NEAR4, dst, dst)) == errno.EPERM
            # the address of the call is another than the header's: the header counts
            assert it.do("send('raw4', ip4(%r, %r), %r)" % (NEAR4, dst, FAR4)) == errno.EPERM
        for dst in ("203.0.113.129", "203.0.112.255", "1.0.0.0"):
            assert it.do("send('raw4', ip4(%r, %r), %r)" % (NEAR4, dst, dst)) == 0
        assert it.do("send('raw6', ip6(%r, '2001:db8:dead::1'), %r)" % (NEAR6, FAR6)) == errno.EPERM
        assert it.do("send('raw6', ip6(%r, '2001:db8:deae::1'), %r)" % (NEAR6, FAR6)) == 0


@pytest.mark.parametrize("everything", ["0.0.0.0/0", "::/0"])
def test_do_not_probe_anything(quiet, tmp_path, everything):
    with pair_of(quiet, HOSTILE, "--dnp", dnp_file(tmp_path, [everything])) as it:
        it.do("take('raw4', RAW, 1), take('raw6', RAW, 2)")
        assert it.do("send('raw4', ip4(%r, %r), %r)" % (NEAR4, FAR4, FAR4)) == (errno.EPERM if "." in everything else 0)
        assert it.do("send('raw6', ip6(%r, %r), %r)" % (NEAR6, FAR6, FAR6)) == (errno.EPERM if ":" in everything else 0)


def test_hundred_thousand_prefixes(quiet, tmp_path):
    rng = random.Random(7)
    prefixes = set()
    while len(prefixes) < 100000:
        length = rng.randint(16, 32)
        prefixes.add((rng.randrange(20 << 24, 190 << 24) >> (32 - length) << (32 - length), length))
    path = dnp_file(tmp_path, ["%s/%d" % (socket.inet_ntoa(struct.pack("!I", a)), n) for a, n in prefixes])
    start = time.monotonic()
    with pair_of(quiet, HOSTILE, "--dnp", path) as it:
        it.do("take('raw4', RAW, 1)", 60)
        print("100,000 prefixes: ready after %.2f s" % (time.monotonic() - start))
        assert time.monotonic() - start < 20
        quiet.drain(0.01)
        sample = rng.sample(sorted(prefixes), 50)
        for a, n in sample:
            dst = socket.inet_ntoa(struct.pack("!I", a | rng.randrange(1 << (32 - n)) if n < 32 else a))
            assert it.do("send('raw4', ip4(%r, %r), %r)" % (NEAR4, dst, FAR4)) == errno.EPERM
        assert it.do("send('raw4', ip4(%r, '193.0.0.1'), %r)" % (NEAR4, FAR4)) == 0
        assert len(quiet.drain()) == 1


@pytest.mark.parametrize("line, where", [("300.0.0.1", ":2:1"), ("  10.0.0.0/33", ":2:3"), ("10.0.0.0/8 x", ":2:"),
                                         ("10.0.0.0/", ":2:1"), ("1" * 300, ":2:1")])
def test_bad_prefix_is_named_by_line(quiet, tmp_path, line, where):
    path = dnp_file(tmp_path, ["10.0.0.0/8", line])
    with pair_of(quiet, HOSTILE, "--dnp", path) as it:
        assert it.wait() == 78
        assert path + where in it.said()
    assert "vantage" not in quiet.table()


# --- ends ---

def test_clean_end_leaves_nothing(quiet):
    with pair_of(quiet) as it:
        it.do("ask(HELLO, 1)")
        assert "inet vantage" in quiet.table()
        it.ours.shutdown(socket.SHUT_RDWR)
        assert it.wait() == 0
    assert "vantage" not in quiet.table()


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_and_takes_the_policy_away(quiet, sig):
    with pair_of(quiet) as it:
        it.do("ask(HELLO, 1)")
        it.proc.send_signal(sig)
        it.leave()
        assert it.wait() == 0
    assert "vantage" not in quiet.table()


def test_killed_privd_fails_closed_and_the_next_start_cleans(quiet):
    with pair_of(quiet) as it:
        it.do("take('raw4', RAW, 1)")
        quiet.drain(0.01)
        it.proc.kill()
        it.wait()
        # the worker is alive and keeps on sending what it may not
        assert it.do("flood('raw4', ip4('192.0.2.77', %r), %r, 20000)" % (FAR4, FAR4), 60) == 0
        assert "inet vantage" in quiet.table()
        with pair_of(quiet) as second:  # replaces the policy under the old worker's feet
            second.do("ask(HELLO, 1)")
            assert it.do("flood('raw4', ip4('192.0.2.77', %r), %r, 2000)" % (FAR4, FAR4), 60) == 0
        assert [p for p in quiet.drain() if p[12:16] == socket.inet_aton("192.0.2.77")] == []
    assert "vantage" not in quiet.table()


def test_a_second_privd_is_told_who_has_the_table(net, hostile):
    with pair_of(net) as second:
        assert second.wait() == 78
        assert "owns the table" in second.said()
    assert hostile.do("ask(HELLO, 1)")[0] == 0


def test_an_owned_table_cannot_be_flushed(net, hostile):
    run("ip", "netns", "exec", net.near, "nft", "flush", "ruleset", check=False)
    assert "inet vantage" in net.table()
    assert hostile.do("send('raw4', ip4('192.0.2.77', %r), %r)" % (FAR4, FAR4)) == errno.EPERM


# --- inside the real sandbox ---

DIES = ["socket", "exec", "fork", "bind", "connect", "setsockopt", "dup", "prctl", "kill", "ptrace", "mmap", "mprotect",
        "bpf", "userns", "memfd", "ioctl", "getsockopt", "fcntl", "pidfd"]


@pytest.mark.parametrize("what", DIES)
def test_forbidden_call_is_death(quiet, what):
    with pair_of(quiet, INSIDE) as it:
        with pytest.raises(EOFError):
            it.do(what)
        assert it.wait() == 70
        assert "forbidden system call" in it.said()
    assert "vantage" not in quiet.table()


@pytest.mark.parametrize("what, answer", [("open", -1), ("uring", -1), ("none", 0)])
def test_refused_call_is_survived(quiet, what, answer):
    with pair_of(quiet, INSIDE) as it:
        assert it.do(what) == answer
        assert it.do("none") == 0


def status_of(pid):
    lines = pathlib.Path("/proc/%d/status" % pid).read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_what_both_processes_have_left(quiet):
    with pair_of(quiet, INSIDE) as it:
        assert it.do("none") == 0
        privd = status_of(it.proc.pid)
        children = pathlib.Path("/proc/%d/task/%d/children" % (it.proc.pid, it.proc.pid)).read_text().split()
        worker = status_of(int(children[0]))
        for key in ("CapPrm", "CapEff", "CapBnd"):
            assert int(privd[key], 16) == (1 << 13 | 1 << 12)
            assert int(worker[key], 16) == 0
        for it_ in (privd, worker):
            assert int(it_["CapInh"], 16) == 0 and int(it_["CapAmb"], 16) == 0
            assert it_["NoNewPrivs"] == "1" and it_["Seccomp"] == "2" and it_["Groups"].split() == []
            assert "0" not in it_["Uid"].split()
        assert privd["Uid"] != worker["Uid"]
        root = "/proc/%s/root" % children[0]
        assert os.listdir(root) == []
        assert os.readlink("/proc/%s/ns/net" % children[0]) != os.readlink("/proc/%d/ns/net" % it.proc.pid)
