"""Watch a link of the lab and take every packet apart, field by field.

The recorder sits in a router's namespace, so it sees what truly crossed the
link, and nothing that the sender's own kernel refused.  The parser is written
from the standards alone and shares nothing with the program under test.
"""
import select
import socket
import struct
import threading
import time

import lab

ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4
SO_TIMESTAMPNS = 35
PROTO = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}


def inet_sum(data):
    """RFC 1071: 0 when a datum that carries its own checksum is intact."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Packet:
    """Attributes: out, when, af, src, dst, ttl, tos, size, and by kind the
    fields that the parsers below set.  Missing fields read as None."""

    def __init__(self, when, out):
        self.when = when
        self.out = out

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return None

    def __repr__(self):
        return "<%s>" % " ".join("%s=%r" % kv for kv in sorted(vars(self).items())
                                 if kv[0] not in ("raw",))


def parse(frame, when=0.0, out=False):
    """An Ethernet frame to a Packet, or None where it is not IP."""
    if len(frame) < 14:
        return None
    ethertype = struct.unpack_from("!H", frame, 12)[0]
    pkt = Packet(when, out)
    if ethertype == 0x0800:
        return parse_ip4(pkt, frame[14:])
    if ethertype == 0x86dd:
        return parse_ip6(pkt, frame[14:])
    return None


def parse_ip4(pkt, data):
    (vhl, pkt.tos, pkt.size, pkt.ipid, frag, pkt.ttl, proto, _,
     src, dst) = struct.unpack_from("!BBHHHBBH4s4s", data)
    hlen = (vhl & 15) * 4
    data = data[:pkt.size]
    pkt.af, pkt.raw = 4, data
    pkt.src, pkt.dst = (socket.inet_ntop(socket.AF_INET, a) for a in (src, dst))
    pkt.df, pkt.mf, pkt.offset = bool(frag & 0x4000), bool(frag & 0x2000), frag & 0x1fff
    pkt.ip_sum_ok = inet_sum(data[:hlen]) == 0
    pkt.ipopts = data[20:hlen]
    pseudo = src + dst + struct.pack("!HH", proto, pkt.size - hlen)
    return parse_transport(pkt, proto, data[hlen:], pseudo)


def parse_ip6(pkt, data):
    word, plen, proto, pkt.ttl, src, dst = struct.unpack_from("!IHBB16s16s", data)
    pkt.size = 40 + plen
    data = data[:pkt.size]
    pkt.af, pkt.raw = 6, data
    pkt.tos, pkt.flow = word >> 20 & 0xff, word & 0xfffff
    pkt.src, pkt.dst = (socket.inet_ntop(socket.AF_INET6, a) for a in (src, dst))
    at = 40
    pkt.ext = []
    while proto in (0, 43, 44, 60):
        pkt.ext.append(proto)
        following, hlen = data[at], 8 if proto == 44 else 8 + data[at + 1] * 8
        if proto == 44:
            _, _, frag, pkt.frag_id = struct.unpack_from("!BBHI", data, at)
            pkt.offset, pkt.mf = frag >> 3, bool(frag & 1)
        proto, at = following, at + hlen
    pseudo = src + dst + struct.pack("!II", pkt.size - at, proto)
    return parse_transport(pkt, proto, data[at:], pseudo)


def parse_transport(pkt, proto, body, pseudo):
    pkt.proto = PROTO.get(proto, proto)
    pkt.body = body
    if pkt.offset and pkt.af == 4:
        return pkt
    handler = TRANSPORT.get(proto)
    if handler is not None:
        handler(pkt, body, pseudo)
    return pkt


def parse_udp(pkt, body, pseudo):
    pkt.sport, pkt.dport, pkt.ulen, pkt.sum = struct.unpack_from("!HHHH", body)
    pkt.payload = body[8:]
    pkt.sum_ok = inet_sum(pseudo + body) == 0 or (pkt.sum == 0 and pkt.af == 4)


def parse_tcp(pkt, body, pseudo):
    (pkt.sport, pkt.dport, pkt.seq, pkt.ack, off, pkt.flags, pkt.win,
     pkt.sum, pkt.urg) = struct.unpack_from("!HHIIBBHHH", body)
    pkt.tcpopts, pkt.payload = body[20:(off >> 4) * 4], body[(off >> 4) * 4:]
    pkt.sum_ok = inet_sum(pseudo + body) == 0


def parse_icmp(pkt, body, pseudo):
    pkt.type, pkt.code, pkt.sum, pkt.id, pkt.icmp_seq = struct.unpack_from("!BBHHH", body)
    pkt.payload = body[8:]
    pkt.sum_ok = inet_sum((pseudo if pkt.af == 6 else b"") + body) == 0


TRANSPORT = {1: parse_icmp, 6: parse_tcp, 17: parse_udp, 58: parse_icmp}

# What a host or router says of itself: neighbours, routers, groups.
HOUSEKEEPING6 = set(range(130, 138)) | {143}


class Recorder:
    """Record a link while a `with` statement lasts; probes() is what came in
    from S's side at R1, in order."""

    def __init__(self, the_lab, node="r1", ifname="l1"):
        self.lab, self.node, self.ifname = the_lab, node, ifname
        self.packets = []

    def __enter__(self):
        self.sock = lab.in_netns(self.lab.name(self.node), self._open)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._loop, daemon=True)
        self.thread.start()
        return self

    def _open(self):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)    # SO_RCVBUFFORCE
        # The time on the link, not of this thread's turn on a busy machine.
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.bind((self.ifname, ETH_P_ALL))
        return sock

    def _loop(self):
        while True:
            ready = select.select([self.sock], [], [], 0.02)[0]
            if ready:
                frame, [(_, _, stamp)], _, addr = self.sock.recvmsg(65536, socket.CMSG_SPACE(16))
                seconds, nanoseconds = struct.unpack("qq", stamp)
                pkt = parse(frame, seconds + nanoseconds / 1e9, addr[2] == PACKET_OUTGOING)
                if pkt is not None:
                    self.packets.append(pkt)
            elif self.stopped.is_set():
                return

    def __exit__(self, *exc):
        self.stopped.set()
        self.thread.join()
        self.sock.close()

    def drain(self):
        """Wait until what is on the link by now has been read."""
        time.sleep(0.06)

    def seen(self, **want):
        """Packets whose fields have the given values, housekeeping left out."""
        self.drain()
        return [p for p in list(self.packets)
                if not (p.proto == "icmp6" and p.type in HOUSEKEEPING6)
                and all(getattr(p, k) == v for k, v in want.items())]

    def probes(self, **want):
        return self.seen(out=False, **want)
