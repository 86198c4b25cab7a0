#!/usr/bin/python3
"""A captured worker: privd starts it in the worker's place, it drops to the
worker's user as the real one does, keeps no system call filter, and then does
whatever the test on the client's socket says.  One Python expression a line;
the answer is a line of JSON."""
import array
import ctypes
import errno
import json
import os
import select
import socket
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
HELLO, RAW, RING, ROUTE, LISTENER, CLIENT, PORT, RESERVE, RELEASE, ECHO, DEPARTURES = range(1, 12)
SOL_PACKET, SO_LOCK_FILTER, SO_ATTACH_BPF, SO_MARK = 263, 44, 50, 36

channel = socket.socket(fileno=3)
fds = {}


def request(*words):
    return struct.pack("!%dI" % len(words), *words)


def ask_raw(record, pass_fds=()):
    """Sends a record as it is; what comes back, or "end" when privd hangs up."""
    control = []
    if pass_fds:
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", pass_fds))]
    try:
        channel.sendmsg([record], control)
        data, anc, _flags, _ = channel.recvmsg(4096, socket.CMSG_SPACE(16))
    except OSError as e:
        return "end" if e.errno in (errno.EPIPE, errno.ECONNRESET) else e
    if not data:
        return "end"
    got = array.array("i")
    for level, kind, payload in anc:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            got.frombytes(payload[:len(payload) - len(payload) % 4])
    return list(struct.unpack("!%dI" % (len(data) // 4), data)), list(got)


def ask(op, *args):
    """errno, fields, descriptor or None."""
    answer = ask_raw(request(op, *args))
    if answer == "end":
        return "end"
    words, got = answer
    return words[1], words[2:], got[0] if got else None


def take(name, op, *args):
    error, _, fd = ask(op, *args)
    if error:
        raise OSError(error, os.strerror(error))
    fds[name] = fd if op in (ECHO, DEPARTURES) else socket.socket(fileno=fd)
    return 0


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip4(src, dst, proto=17, payload=None, frag=0, options=b"", first=None, ttl=64):
    """A packet of the attacker's own making; the kernel fills the checksum."""
    payload = struct.pack("!HHHH", 40000, 33435, 8, 0) if payload is None else payload
    ihl = 5 + len(options) // 4
    first = 0x40 | ihl if first is None else first
    return struct.pack("!BBHHHBBH4s4s", first, 0, ihl * 4 + len(payload), 7, frag, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst)) + options + payload


def ip6(src, dst, nxt=17, payload=None, hlim=64, first=0x60):
    payload = struct.pack("!HHHH", 40000, 33435, 8, 0xffff) if payload is None else payload
    return struct.pack("!BBHHBB16s16s", first, 0, 0, len(payload), nxt, hlim,
                       socket.inet_pton(socket.AF_INET6, src),
                       socket.inet_pton(socket.AF_INET6, dst)) + payload


def send(name, packet, to):
    """0, or the errno of the refusal."""
    try:
        if ":" in to:
            fds[name].sendto(packet, (to, 0))
        else:
            fds[name].sendto(packet, (to, 0))
        return 0
    except OSError as e:
        return e.errno


def flood(name, packet, to, count):
    """How many of count the kernel took."""
    return sum(1 for _ in range(count) if send(name, packet, to) == 0)


def option(name, level, opt, value):
    data = struct.pack("I", value) if isinstance(value, int) else value
    try:
        fds[name].setsockopt(level, opt, data)
        return 0
    except OSError as e:
        return e.errno


def frame(name, ifname, payload, proto=0x0800):
    """Sends through the packet ring's socket, which should only receive."""
    try:
        fds[name].sendto(payload, (ifname, proto, 0, 0, b"\xff\xff\xff\xff\xff\xff"))
        return 0
    except OSError as e:
        return e.errno


def try_call(call):
    try:
        call()
        return 0
    except OSError as e:
        return e.errno


def ring_map(name="ring"):
    import mmap
    fds["map"] = mmap.mmap(fds[name].fileno(), 2048 * 8192, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    fds["at"] = 0
    return 0


def ring_read():
    """All waiting packets: [packet type, interface, bytes from the IP header on, wire length]."""
    out = []
    ring = fds["map"]
    while True:
        off = fds["at"] * 2048
        status, length, snap, mac, net = struct.unpack_from("=IIIHH", ring, off)
        if not status & 1:
            return out
        ifindex, = struct.unpack_from("=i", ring, off + 32 + 4)
        kind = ring[off + 32 + 10]
        out.append([kind, ifindex, ring[off + net:off + net + snap].hex(), length])
        struct.pack_into("=I", ring, off, 0)
        fds["at"] = (fds["at"] + 1) % 8192


def departures():
    """How many there were, and the last of them: [number, length, bytes from the IP header on]."""
    import mmap
    with mmap.mmap(fds["departures"], 4097 * 128, mmap.MAP_SHARED, mmap.PROT_READ) as kept:
        count, = struct.unpack_from("=I", kept, 4096 * 128)
        _, length, number = struct.unpack_from("=QII", kept, (count - 1) % 4096 * 128)
        start = (count - 1) % 4096 * 128 + 16
        return count, [number, length, kept[start:start + length].hex()]


def netlink_add_address(name):
    """RTM_NEWADDR 10.9.9.9 on lo: must be refused, however root the opener."""
    body = struct.pack("=BBBBI", socket.AF_INET, 32, 0, 0, 1)
    body += struct.pack("=HH4s", 8, 2, socket.inet_aton("10.9.9.9"))
    fds[name].send(struct.pack("=IHHII", 16 + len(body), 20, 0x605, 1, 0) + body)
    while True:
        select.select([fds[name]], [], [], 2)
        data = fds[name].recv(65536)
        if struct.unpack_from("=H", data, 4)[0] == 2:  # NLMSG_ERROR; the rest is news of links
            return -struct.unpack_from("=i", data, 16)[0]


def become_worker():
    import pwd
    import grp
    os.setgroups([])
    gid, uid = grp.getgrnam("vantage").gr_gid, pwd.getpwnam("vantage").pw_uid
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    LIBC.prctl(38, 1, 0, 0, 0)


def main():
    become_worker()
    error, _, fd = ask(CLIENT)
    if error:
        sys.exit(69)
    client = socket.socket(fileno=fd)
    client.setblocking(True)
    lines = client.makefile("rwb", buffering=0)
    for line in lines:
        try:
            result = eval(line.decode(), globals())
        except Exception as e:  # the test wants to see whatever it is
            result = "%s: %s" % (type(e).__name__, e)
        lines.write(json.dumps(result).encode() + b"\n")


main()
