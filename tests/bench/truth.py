"""The simulated internet's law, as truth.h has it, and what follows from it."""

import ipaddress
import struct

TARGETS4 = int(ipaddress.ip_address("198.18.0.0"))
SILENT4 = int(ipaddress.ip_address("10.128.0.0"))
ROUTERS4 = int(ipaddress.ip_address("100.64.0.0"))
TARGETS6 = int(ipaddress.ip_address("2001:2::"))
SILENT6 = int(ipaddress.ip_address("2001:2:0:dead::"))
ROUTERS6 = int(ipaddress.ip_address("2001:2:0:ffff::"))
MASK = 0xffffffff


def mix(x):
    x ^= x >> 16
    x = x * 0x7feb352d & MASK
    x ^= x >> 15
    x = x * 0x846ca68b & MASK
    return x ^ x >> 16


def hash_of(address):
    value = 0
    packed = address.packed
    for (word,) in struct.iter_unpack(">I", packed):
        value = mix(value ^ word)
    return value


class Way:
    """What is true of one destination."""

    def __init__(self, text):
        self.address = ipaddress.ip_address(text)
        self.hash = hash_of(self.address)
        self.hops = 4 + self.hash % 12

    def reply_ttl(self):
        return 64 - self.hops

    def router(self, ttl):
        low = (mix(self.hash + ttl * 0x9e3779b9 & MASK) & 0x3ffff) << 4 | ttl
        base = ROUTERS4 if self.address.version == 4 else ROUTERS6
        return str(ipaddress.ip_address(base + low))

    def path(self):
        """The addresses of a traceroute, from TTL 1 on."""
        return [self.router(ttl) for ttl in range(1, self.hops)] + [str(self.address)]

    def open(self):
        return self.hash >> 20 & 1 != 0


def targets(count, family=4, silent=False):
    """Distinct destinations, spread over their range."""
    if family == 4:
        base = SILENT4 if silent else TARGETS4
        # A step prime to the ranges' size, so that neighbours in time are none in space.
        size = 1 << 22 if silent else 1 << 17
        return [str(ipaddress.IPv4Address(base + i * 48271 % size)) for i in range(count)]
    base = SILENT6 if silent else TARGETS6 + (1 << 64)
    return [str(ipaddress.IPv6Address(base + mix(i + 1) * 0x10001 + i)) for i in range(count)]
