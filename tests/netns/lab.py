"""A lab of network namespaces with real Linux routers.

                   R2a                         mtu 1500  D .2 - .7
    S --- R1 <            > R3 --- R4 --- R5 <
    T ---/         R2b                         mtu 1400  D .66 .67

Six hops from S to D.  R1 spreads flows over R2a and R2b by a hash of
addresses and ports; R4 forwards and never says that a packet's time ran out.
Only documentation addresses (RFC 5737, RFC 3849) are used and nothing is
connected to the host's own network.

A name begins with "vl", the id of the process that made it, and a dash, so
that `sweep` can remove what a killed run left and leave a running one alone.
"""
import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
NETNS_DIR = "/run/netns"

# T is a second sender beside S, for what needs a host of its own.
NODES = ("s", "t", "r1", "r2a", "r2b", "r3", "r4", "r5", "d")

# number: left node, right node, IPv4 prefix length, left, right, MTU
LINKS = {
    1: ("s", "r1", 30, "192.0.2.1", "192.0.2.2", 1500),
    2: ("r1", "r2a", 30, "192.0.2.5", "192.0.2.6", 1500),
    3: ("r1", "r2b", 30, "192.0.2.9", "192.0.2.10", 1500),
    4: ("r2a", "r3", 30, "192.0.2.13", "192.0.2.14", 1500),
    5: ("r2b", "r3", 30, "192.0.2.17", "192.0.2.18", 1500),
    6: ("r3", "r4", 30, "192.0.2.21", "192.0.2.22", 1500),
    7: ("r4", "r5", 30, "192.0.2.25", "192.0.2.26", 1500),
    8: ("r5", "d", 26, "203.0.113.1", "203.0.113.2", 1500),
    9: ("r5", "d", 26, "203.0.113.65", "203.0.113.66", 1400),
    10: ("t", "r1", 30, "192.0.2.33", "192.0.2.34", 1500),
}

SRC = {4: "192.0.2.1", 6: "2001:db8:1::1"}
SRC2 = {4: "192.0.2.129", 6: "2001:db8:1::81"}           # S's second address
DST = {4: "203.0.113.2", 6: "2001:db8:8::2"}
ALIAS = {4: "203.0.113.3", 6: "2001:db8:8::3"}
DROPPED = {4: "203.0.113.4", 6: "2001:db8:8::4"}         # D's firewall drops
PROHIBITED = {4: "203.0.113.5", 6: "2001:db8:8::5"}      # D's firewall refuses
LOSSY = {4: "203.0.113.6", 6: "2001:db8:8::6"}           # every third is lost
LASTDITCH = {4: "203.0.113.7", 6: "2001:db8:8::7"}       # only large TTLs pass
SMALL_MTU = {4: "203.0.113.66", 6: "2001:db8:9::42"}
SILENT_MTU = {4: "203.0.113.67", 6: "2001:db8:9::43"}    # and nobody says so
LOOP = {4: "198.51.100.1", 6: "2001:db8:f0::1"}
UNREACHABLE = {4: "198.51.100.65", 6: "2001:db8:f1::1"}
BLACKHOLE = {4: "198.51.100.129", 6: "2001:db8:f2::1"}
MTU_SMALL = 1400

# What a true path is: at each TTL the addresses that may answer, None: silent.
PATH = {
    4: [{"192.0.2.2"}, {"192.0.2.6", "192.0.2.10"}, {"192.0.2.14"}, None,
        {"192.0.2.26"}],
    6: [{"2001:db8:1::2"}, {"2001:db8:2::2", "2001:db8:3::2"},
        {"2001:db8:4::2", "2001:db8:5::2"}, None, {"2001:db8:7::2"}],
}

# node: gateways towards D, gateways towards S, as (link, side) of the neighbour
ROUTES = {
    "r1": ([(2, 1), (3, 1)], []),
    "r2a": ([(4, 1)], [(2, 0)]),
    "r2b": ([(5, 1)], [(3, 0)]),
    "r3": ([(6, 1)], [(4, 0)]),
    "r4": ([(7, 1)], [(6, 0)]),
    "r5": ([], [(7, 0)]),
}

# What lies behind D's side, for every router; "far" are the strange prefixes.
FAR = {4: ["203.0.113.0/24", "198.51.100.0/24"],
       6: ["2001:db8:8::/64", "2001:db8:9::/64", "2001:db8:f0::/46"]}
STRANGE = {
    4: ["198.51.100.0/26 via 192.0.2.13", "unreachable 198.51.100.64/26",
        "blackhole 198.51.100.128/26"],
    6: ["2001:db8:f0::/48 via 2001:db8:4::1", "unreachable 2001:db8:f1::/48",
        "blackhole 2001:db8:f2::/48"],
}

SYSCTLS = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/all/forwarding": 1,
    "net/ipv4/fib_multipath_hash_policy": 1,
    "net/ipv6/fib_multipath_hash_policy": 1,
    "net/ipv4/icmp_ratelimit": 0,
    "net/ipv4/icmp_msgs_per_sec": 1000000,
    "net/ipv4/icmp_msgs_burst": 100000,
    "net/ipv6/icmp/ratelimit": 0,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    # ping sockets are for everybody nowhere: nothing here may lean on them
    "net/ipv4/ping_group_range": "1 0",
}

NFT = {
    "r4": """table inet lab { chain sent { type filter hook output priority 0;
        icmp type time-exceeded drop
        icmpv6 type time-exceeded drop
    }
    }""",
    "r3": """table inet lab { chain forwarded { type filter hook forward priority 0;
        ip daddr 203.0.113.7 ip ttl < 30 drop
        ip6 daddr 2001:db8:8::7 ip6 hoplimit < 30 drop
    }
    }""",
    "r5": """table inet lab { chain seen { type filter hook prerouting priority 0;
        ip daddr 203.0.113.67 ip length > 1400 drop
        ip6 daddr 2001:db8:9::43 ip6 length > 1360 drop
    }
    }""",
    "d": """table inet lab { chain received { type filter hook input priority 0;
        ip daddr 203.0.113.4 drop
        ip6 daddr 2001:db8:8::4 drop
        ip daddr 203.0.113.5 reject with icmp type admin-prohibited
        ip6 daddr 2001:db8:8::5 reject with icmpv6 type admin-prohibited
        ip daddr 203.0.113.6 numgen inc mod 3 2 drop
        ip6 daddr 2001:db8:8::6 icmpv6 type echo-request numgen inc mod 3 2 drop
    }
    }""",
}

SERVICE = """
import select, socket
addrs = %r
udp, keep = [], []
for a in addrs:
    af = socket.AF_INET6 if ':' in a else socket.AF_INET
    u = socket.socket(af, socket.SOCK_DGRAM); u.bind((a, 7)); udp.append(u)
    t = socket.socket(af, socket.SOCK_STREAM)
    t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    t.bind((a, 80)); t.listen(64); keep.append(t)
print('ready', flush=True)
while True:
    for s in select.select(udp, [], [])[0]:
        data, peer = s.recvfrom(65535)
        s.sendto(data, peer)
"""


def v6_of(link, side):
    return "2001:db8:%x::%x" % (link, 0x42 if (link, side) == (9, 1) else side + 1)


def mac_of(link, side):
    return "02:00:00:00:%02x:%02x" % (link, side + 1)


def enter_netns(name):
    """The calling thread goes into the namespace `name`."""
    fd = os.open(os.path.join(NETNS_DIR, name), os.O_RDONLY)
    try:
        if LIBC.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns " + name)
    finally:
        os.close(fd)


def in_netns(name, func):
    """Call func in a thread that has entered the namespace `name`."""
    result = []

    def body():
        try:
            enter_netns(name)
            result.append((func(), None))
        except BaseException as exc:  # handed to the caller, whatever it is
            result.append((None, exc))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    value, exc = result[0]
    if exc is not None:
        raise exc
    return value


def checksum_offload_off(ifname):
    """SIOCETHTOOL, ETHTOOL_STXCSUM 0: a veth with transmit offload leaves
    unfinished checksums in quotes and in captures."""
    value = ctypes.create_string_buffer(struct.pack("=II", 0x17, 0))
    req = struct.pack("16sP8x", ifname.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8946, req)


def ip_batch(lines, netns=None):
    argv = ["ip"] + (["-n", netns] if netns else []) + ["-batch", "-"]
    done = subprocess.run(argv, input="\n".join(lines) + "\n", text=True,
                          capture_output=True)
    if done.returncode != 0:
        raise RuntimeError("ip -batch: %s" % done.stderr.strip())


def alive(pid):
    try:
        with open("/proc/%s/stat" % pid) as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def sweep():
    """Remove the namespaces and folders of labs whose maker is gone."""
    for folder, shape in ((NETNS_DIR, r"vl(\d+)-\w+"),
                          (tempfile.gettempdir(), r"vantage-lab-(\d+)-\w+")):
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            continue
        for name in names:
            match = re.fullmatch(shape, name)
            if match is None or alive(match.group(1)):
                continue
            if folder == NETNS_DIR:
                remove_netns(name)
            else:
                shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def remove_netns(name):
    pids = subprocess.run(["ip", "netns", "pids", name], text=True,
                          capture_output=True).stdout.split()
    for pid in pids:
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(["ip", "netns", "del", name], capture_output=True)


class Lab:
    """The topology above, while a `with` statement lasts."""

    def __init__(self):
        self.prefix = "vl%d-" % os.getpid()
        self.children = []

    def name(self, node):
        return self.prefix + node

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
            if child.stdout:
                child.stdout.close()
        self.children = []
        for node in NODES:
            remove_netns(self.name(node))

    def build(self):
        sweep()
        ip_batch(["netns add " + self.name(n) for n in NODES])
        for node in NODES:
            in_netns(self.name(node), self._sysctls)
        ip_batch(["link add l%d netns %s mtu %d address %s type veth peer name l%d "
                  "netns %s mtu %d address %s"
                  % (n, self.name(a), mtu, mac_of(n, 0), n, self.name(b), mtu, mac_of(n, 1))
                  for n, (a, b, _, _, _, mtu) in LINKS.items()])
        for node in NODES:
            self._node(node)
        for node, rules in NFT.items():
            self.nft(node, rules)
        self._service()

    @staticmethod
    def _sysctls():
        for key, value in SYSCTLS.items():
            try:
                with open("/proc/sys/" + key, "w") as out:
                    out.write("%s\n" % value)
            except FileNotFoundError:
                pass    # the two icmp_msgs limits are the host's before 6.9

    def _node(self, node):
        first = ["link set lo up"]
        then = []
        mine = [(n, 0 if LINKS[n][0] == node else 1) for n in LINKS
                if node in LINKS[n][:2]]
        for n, side in mine:
            _, _, plen, left, right, _ = LINKS[n]
            near, far = ((left, right), (right, left))[side]
            first += ["addr add %s/%d dev l%d" % (near, plen, n),
                      "addr add %s/64 dev l%d nodad" % (v6_of(n, side), n),
                      "link set l%d up" % n]
            then += ["neigh replace %s lladdr %s dev l%d nud permanent"
                     % (a, mac_of(n, 1 - side), n)
                     for a in (far, v6_of(n, 1 - side))]
        ip_batch(first + then + self._routes(node), self.name(node))
        in_netns(self.name(node),
                 lambda: [checksum_offload_off("l%d" % n) for n, _ in mine])

    @staticmethod
    def _routes(node):
        if node == "s":
            return ["addr add %s/32 dev l1" % SRC2[4],
                    "addr add %s/64 dev l1 nodad preferred_lft 0" % SRC2[6],
                    "route add default via 192.0.2.2",
                    "route add default via 2001:db8:1::2"]
        if node == "t":
            return ["route add default via 192.0.2.34",
                    "route add default via 2001:db8:a::2"]
        if node == "d":
            extra4 = ["203.0.113.%d/26 dev l8" % i for i in range(3, 8)]
            extra6 = ["2001:db8:8::%d/64 dev l8 nodad" % i for i in range(3, 8)]
            return ["addr add " + a for a in extra4 + ["203.0.113.67/26 dev l9"]] + \
                   ["addr add " + a for a in extra6 + ["2001:db8:9::43/64 dev l9 nodad"]] + \
                   ["route add default via 203.0.113.1",
                    "route add default via 2001:db8:8::1"]
        out = ["route add %s via %s" % (SRC2[4], SRC[4])] if node == "r1" else []
        fwd, back = ROUTES[node]
        if fwd:
            via4 = " ".join("nexthop via " + LINKS[n][3 + s] for n, s in fwd)
            via6 = " ".join("nexthop via " + v6_of(n, s) for n, s in fwd)
            out += ["route add %s %s" % (p, via4) for p in FAR[4]]
            out += ["route add %s %s" % (p, via6) for p in FAR[6]]
        for n, s in back:
            out += ["route add 192.0.2.0/24 via " + LINKS[n][3 + s],
                    "route add 2001:db8::/44 via " + v6_of(n, s)]
        if node == "r3":
            out += ["route add " + r for r in STRANGE[4]]
            out += ["route add " + r for r in STRANGE[6]]
        return out

    def nft(self, node, rules):
        done = subprocess.run(self.exec(node) + ["nft", "-f", "-"], input=rules,
                              text=True, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError("nft: " + done.stderr)

    def _service(self):
        addrs = [DST[4], DST[6], ALIAS[4], ALIAS[6]]
        child = self.popen("d", [sys.executable, "-c", SERVICE % (addrs,)],
                           stdout=subprocess.PIPE, text=True)
        if child.stdout.readline().strip() != "ready":
            raise RuntimeError("the target's services did not start")

    def exec(self, node):
        return ["ip", "netns", "exec", self.name(node)]

    def run(self, node, argv, **kw):
        kw.setdefault("capture_output", True)
        kw.setdefault("text", True)
        kw.setdefault("timeout", 60)
        return subprocess.run(self.exec(node) + list(argv), **kw)

    def popen(self, node, argv, **kw):
        child = subprocess.Popen(self.exec(node) + list(argv), **kw)
        self.children.append(child)
        return child


if __name__ == "__main__":
    if sys.argv[1:] == ["sweep"]:
        sweep()
    else:
        sys.exit("usage: lab.py sweep")
