"""What a host does to a pair at work: stops it, takes its links, addresses and
routes away, drops its packets, gives it few descriptors."""
import contextlib
import json
import os
import re
import select
import signal
import subprocess
import time

import pytest

import lab as net
import pair as pair_module
from hostile import connect
from test_service import status
from test_sources import wait_for

PROBES, PACE = 60, 0.05
STEADY = ["-O", "json", "-I", "ping -c %d -i %.2f -W 1 %s" % (PROBES, PACE, net.DST[4])]


@contextlib.contextmanager
def steady_ping(pair):
    """Something happens while it runs; its record is then the only element."""
    records = []
    child = pair.popen(STEADY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(0.6)
        yield records
        out, told = child.communicate(timeout=20)
        assert child.returncode == 0, told
        records += pair_module.records(out)
        assert len(records) == 1
    finally:
        child.kill()
        child.wait()


def seconds(stamp):
    return stamp["sec"] + stamp["usec"] / 1e6


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: status(pid)["State"][0] in "Tt")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_worker_that_was_stopped_neither_hurries_nor_errs(fresh_pair):
    """What came meanwhile has the kernel's time; what was not sent is not made up for."""
    with steady_ping(fresh_pair) as records, stopped(fresh_pair.worker_pid()):
        time.sleep(1.5)
    replies = records[0]["responses"]
    assert len(replies) == PROBES and max(r["rtt"] for r in replies) < 100
    sent = sorted(seconds(r["tx"]) for r in replies)
    gaps = sorted(b - a for a, b in zip(sent, sent[1:]))
    assert gaps[-1] > 1.2 and gaps[0] > PACE / 2 and gaps[-2] < 0.5, gaps


def test_a_stopped_helper_is_not_missed_by_what_runs(fresh_pair):
    with steady_ping(fresh_pair) as records, stopped(fresh_pair.privd.pid):
        time.sleep(1)
    sent = sorted(seconds(r["tx"]) for r in records[0]["responses"])
    assert len(sent) == PROBES and max(b - a for a, b in zip(sent, sent[1:])) < 0.5
    assert fresh_pair.one("ping -c 1 -o 1 -P udp-sport " + net.DST[4])["statistics"]["replies"] == 1


AWAY = {
    "link": ["link set l10 down"],
    "address": ["addr del 192.0.2.33/30 dev l10"],
    "route": ["route del default via 192.0.2.34"],
}
BACK = ["link set l10 up", "addr replace 192.0.2.33/30 dev l10", "addr replace 2001:db8:a::1/64 dev l10 nodad",
        "neigh replace 192.0.2.34 lladdr %s dev l10 nud permanent" % net.mac_of(10, 1),
        "neigh replace 2001:db8:a::2 lladdr %s dev l10 nud permanent" % net.mac_of(10, 1),
        "route replace default via 192.0.2.34", "route replace default via 2001:db8:a::2"]


@pytest.mark.parametrize("what", AWAY)
def test_what_the_network_takes_is_named_and_what_it_gives_back_is_used(fresh_pair, lab, what):
    with steady_ping(fresh_pair) as records:
        try:
            net.ip_batch(AWAY[what], lab.name("t"))
            time.sleep(0.5)
            begun = time.monotonic()
            done = fresh_pair.cli(["ping", "-c", "1", net.DST[4]])
            assert done.returncode == 0 and time.monotonic() - begun < 5
            assert "0 packets received" in done.stdout and "Network is unreachable" in done.stderr, done
        finally:
            net.ip_batch(BACK, lab.name("t"))
    # Without its address: whether the route goes first or the policy sees it.
    assert re.match("probe not sent: (Network is unreachable|forbidden by the host.s policy)", records[0]["errmsg"])
    assert 5 <= records[0]["statistics"]["replies"] < PROBES
    for dst in (net.DST[4], net.DST[6]):
        assert fresh_pair.one("ping -c 1 -o 1 " + dst)["statistics"]["replies"] == 1


def test_a_firewall_of_others_that_drops_all_is_named(fresh_pair, lab, recorder_t):
    lab.nft("t", "table inet other { chain out { type filter hook output priority 0; policy drop; }; }")
    try:
        for words in (["ping", "-c", "2", net.DST[4]], ["trace", net.DST[6]]):
            done = fresh_pair.cli(words)
            assert done.returncode == 0 and "forbidden by the host's policy" in done.stderr, done
        assert recorder_t.probes() == []
    finally:
        lab.run("t", ["nft", "delete", "table", "inet", "other"])
    assert fresh_pair.one("ping -c 1 -o 1 " + net.DST[4])["statistics"]["replies"] == 1


class Started:
    """The lab, where what is started is started by words before its own."""

    def __init__(self, lab, *words):
        self.lab, self.words = lab, words

    def __getattr__(self, name):
        return getattr(self.lab, name)

    def popen(self, node, argv, **kw):
        return self.lab.popen(node, [*self.words, *argv], **kw)


def ticks(pid):
    """Processor time, in hundredths of a second."""
    with open("/proc/%d/stat" % pid) as stat:
        return sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))


def test_who_finds_no_descriptor_waits_for_one(lab):
    with pair_module.Vantage(Started(lab, "prlimit", "--nofile=28:28"), node="t") as it, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(connect(it.socket)) for _ in range(40)]
        for sock in socks:
            sock.sendall(b"get pps\n")
        time.sleep(1)
        before = ticks(it.worker_pid())
        time.sleep(1)
        assert ticks(it.worker_pid()) - before < 20     # it waits, and does not try again and again
        first = select.select(socks, [], [], 0)[0]
        assert 3 <= len(first) < 40
        waiting = [s for s in socks if s not in first]
        while waiting:
            assert first, "%d were forgotten" % len(waiting)
            for sock in first:
                assert sock.recv(100).startswith(b"OK pps ")
                sock.close()
            first = select.select(waiting, [], [], 5)[0]
            waiting = [s for s in waiting if s not in first]
        assert it.log().count("cannot take a connection") < 100
        assert json.loads(it.cli(["status", "--json"], uid=0).stdout)["pps"] > 0


@pytest.fixture
def t_without_ipv6(lab):
    def all_links(value):
        lab.run("t", ["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=%d" % value], check=True)

    all_links(1)
    yield lab
    all_links(0)
    net.ip_batch(BACK, lab.name("t"))


def test_a_kernel_without_ipv6_does_the_rest(t_without_ipv6):
    shim = os.path.join(pair_module.BUILD, "tests/netns/attack/libvantage-noipv6.so")
    with pair_module.Vantage(Started(t_without_ipv6, "env", "LD_PRELOAD=" + shim), node="t") as it:
        assert "this kernel has no IPv6" in it.log()
        for command in ("ping -c 1 -o 1 -P udp-sport ", "ping -c 1 -o 1 -P tcp-syn -d 80 "):
            assert it.one(command + net.DST[4])["statistics"]["replies"] == 1
        done = it.cli(["ping", "-c", "1", net.DST[6]])
        assert done.returncode == 0 and "no route" in done.stderr, done
        assert it.stop() == 0


def test_an_end_in_order_is_no_error_in_the_log(fresh_pair):
    fresh_pair.one("ping -c 1 -o 1 " + net.DST[4])
    assert fresh_pair.stop() == 0
    assert "the worker ended" not in fresh_pair.log()
