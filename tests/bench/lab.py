"""The lab: a namespace that measures, a simulated internet behind a veth.

Everything is made here and gone afterwards. The internet's side polls in a
kernel thread of its own core, so that its work is never charged to whom it
answers; the rivals run on the other.
"""

import array
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import time

NEAR, FAR = "vbench-near", "vbench-far"
LINK_NEAR, LINK_FAR = "vbn", "vbf"
ADDR4, GATE4 = "192.0.2.1", "192.0.2.2"
ADDR6, GATE6 = "2001:db8:be::1", "2001:db8:be::2"
MAC_NEAR, MAC_FAR = "02:00:5e:00:53:01", "02:00:5e:00:53:02"
CPU_RIVAL, CPU_NET = 0, 1
POLL_NS = 20000
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO = 0x17, 0x1f, 0x24, 0x2c


def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True).stdout


def ip(*words, ns=None):
    return run("ip", *(["-n", ns] if ns else []), *words)


def inside(ns):
    """For preexec_fn: enter a network namespace."""
    fd = os.open(f"/run/netns/{ns}", os.O_RDONLY)
    try:
        libc("setns", fd, CLONE_NEWNET)
    finally:
        os.close(fd)


def libc(call, *numbers):
    if getattr(ctypes.CDLL(None, use_errno=True), call)(*numbers) != 0:
        raise OSError(ctypes.get_errno(), f"{call} failed")


def offload(name, command, on):
    """ethtool's old switches, without ethtool; called inside the namespace."""
    value = array.array("B", struct.pack("II", command, on))
    request = struct.pack("16sP8x", name.encode(), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCETHTOOL, request)


def in_child(ns, function):
    """Runs a function in the namespace, in a child, and demands success."""
    pid = os.fork()
    if pid == 0:
        try:
            inside(ns)
            function()
            os._exit(0)
        except BaseException as e:  # the child must not return into our caller
            print(f"{ns}: {e}", flush=True)
            os._exit(1)
    if os.waitpid(pid, 0)[1] != 0:
        raise RuntimeError(f"set-up in {ns} failed")


def write_sysfs(folder, values):
    """Sysfs shows the devices of the namespace it was mounted in."""
    libc("unshare", CLONE_NEWNS)
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "sysfs", "sysfs", "/sys")
    for name, value in values.items():
        with open(f"{folder}/{name}", "w", encoding="ascii") as f:
            f.write(str(value))


class Lab:
    def __init__(self, programs):
        """programs: folder of the compiled internet.o and near.o"""
        self.programs = programs

    def __enter__(self):
        self.remove()
        try:
            self.make()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        for ns in (NEAR, FAR):
            if os.path.exists(f"/run/netns/{ns}"):
                ip("netns", "del", ns)

    def make(self):
        for ns in (NEAR, FAR):
            ip("netns", "add", ns)
            ip("link", "set", "lo", "up", ns=ns)
        ip("link", "add", LINK_NEAR, "netns", NEAR, "address", MAC_NEAR, "type", "veth",
           "peer", "name", LINK_FAR, "netns", FAR, "address", MAC_FAR)
        in_child(NEAR, self.near_features)
        ip("link", "set", LINK_FAR, "xdpdrv", "obj", f"{self.programs}/internet.o", "sec", "xdp", ns=FAR)
        ip("link", "set", LINK_NEAR, "xdpdrv", "obj", f"{self.programs}/near.o", "sec", "xdp", ns=NEAR)
        for ns, link, a4, a6 in ((NEAR, LINK_NEAR, ADDR4, ADDR6), (FAR, LINK_FAR, GATE4, GATE6)):
            ip("addr", "add", f"{a4}/30", "dev", link, ns=ns)
            ip("addr", "add", f"{a6}/64", "dev", link, "nodad", ns=ns)
            # veth's ring holds 256; with a queue before it, it holds senders
            # back instead of dropping (Linux 6.16).
            run("tc", "-n", ns, "qdisc", "replace", "dev", link, "root", "pfifo", "limit", "20000")
            ip("link", "set", link, "up", ns=ns)
        for gate in (GATE4, GATE6):
            ip("neigh", "replace", gate, "lladdr", MAC_FAR, "dev", LINK_NEAR, "nud", "permanent", ns=NEAR)
            ip("route", "add", "default", "via", gate, "dev", LINK_NEAR, ns=NEAR)
        in_child(FAR, self.far_thread)
        self.pin_thread()

    @staticmethod
    def near_features():
        # No checksum left unfinished, which a quote would show; no merging.
        offload(LINK_NEAR, ETHTOOL_STXCSUM, 0)
        offload(LINK_NEAR, ETHTOOL_STSO, 0)
        offload(LINK_NEAR, ETHTOOL_SGSO, 0)
        offload(LINK_NEAR, ETHTOOL_SGRO, 0)

    @staticmethod
    def far_thread():
        # A thread of its own, which looks for packets by a timer and is never
        # woken by who sends: a network card's transmit costs no wake-up, nor
        # shall this one's.
        write_sysfs(f"/sys/class/net/{LINK_FAR}", {
            "threaded": 1, "gro_flush_timeout": POLL_NS, "napi_defer_hard_irqs": 1 << 30})

    @staticmethod
    def pin_thread():
        for _ in range(50):
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
                        name = f.read()
                except OSError:
                    continue
                if name.startswith(f"napi/{LINK_FAR}-"):
                    os.sched_setaffinity(int(pid), {CPU_NET % os.cpu_count()})
                    os.sched_setscheduler(int(pid), os.SCHED_FIFO, os.sched_param(1))
                    return
            time.sleep(0.02)
        raise RuntimeError("no polling thread of the far side")
