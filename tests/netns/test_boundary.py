"""The privilege boundary from its wrong side: a hostile worker with the real
descriptors.  What was refused must also be absent on the wire, seen from the
far namespace; what the ring hears must be what was reserved."""
import errno
import os
import socket
import struct
import time

import pytest

from boundary import (FAR4, FAR6, NEAR4, NEAR6, build, far_send, hostile,  # noqa: F401 (fixtures)
                      inside, net, run)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: sudo ./start test")


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
    "header of four words": ("ip4(%r, %r, first=0x44)" % (NEAR4, FAR4), FAR4),
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


@pytest.mark.parametrize("kind, answer", [(0x00010000, 0), (0x00020000, errno.EPERM), (0, errno.EPERM)])
def test_a_mark_of_ours_that_is_not_for_sending_does_not_send(net, hostile, kind, answer):
    """Whoever has it: no socket that we give away does."""
    with inside(net.near), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x56000000 | kind)
        net.drain(0.01)
        try:
            s.sendto(b"x", (FAR4, 9))
            got = 0
        except OSError as e:
            got = e.errno
    assert (got, len(net.drain())) == (answer, 1 if answer == 0 else 0)


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


def test_departures_are_our_probes_alone_and_the_ring_is_silent_of_them(net, hostile):
    hostile.do("ring_read()")
    hostile.do("'departures' in fds or take('departures', DEPARTURES)")
    before = hostile.do("departures()")[0]
    with inside(net.near), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"not a probe", (FAR4, 9))
    assert hostile.do("send('raw4', ip4(%r, %r, 17, struct.pack('!HHHH', 40000, 33435, 308, 0) + bytes(300)), %r)"
                      % (NEAR4, FAR4, FAR4)) == 0
    time.sleep(0.1)
    count, (number, length, packet) = hostile.do("departures()")
    assert [count, number, length] == [before + 1, before + 1, 112]
    assert bytes.fromhex(packet)[12:24] == socket.inet_aton(NEAR4) + socket.inet_aton(FAR4) + struct.pack(
        "!HH", 40000, 33435)
    assert [p for p in hostile.do("ring_read()") if p[0] == 4] == []


def test_departures_cannot_be_written(hostile):
    hostile.do("'departures' in fds or take('departures', DEPARTURES)")
    assert hostile.do("try_call(lambda: __import__('mmap').mmap(fds['departures'], 4096))") == errno.EPERM
