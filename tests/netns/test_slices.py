"""Slices that compete for one vantage point, counted on the wire."""
import re
import subprocess
import time

import pytest

import pair as pair_module

ALICE, BOB, CAROL = 61001, 61002, 61003

CONF = """
slice alpha uid %d
slice alpha share 1
slice beta uid %d
slice beta share 3
slice gamma uid %d
slice gamma pps 50
slice gamma running 4
slice gamma methods ping
""" % (ALICE, BOB, CAROL)

# Addresses that a router swallows, a half for each: no reply ends a task.
LOW = ["198.51.100.%d" % i for i in range(130, 160)]
HIGH = ["198.51.100.%d" % i for i in range(160, 190)]

COUNTERS = """table inet slices {
    counter low {}
    counter high {}
    chain seen { type filter hook prerouting priority -200;
        ip daddr 198.51.100.128-198.51.100.159 counter name low
        ip daddr 198.51.100.160-198.51.100.191 counter name high
    }
}"""


@pytest.fixture
def counts(lab):
    lab.nft("r1", COUNTERS)

    def read():
        out = lab.run("r1", ["nft", "list", "counters", "table", "inet", "slices"]).stdout
        found = dict(re.findall(r"counter (\w+) \{\s*packets (\d+)", out))
        return int(found["low"]), int(found["high"])

    def over(seconds):
        """Packets for each half in so many seconds, and the seconds it took."""
        before, start = read(), time.monotonic()
        time.sleep(seconds)
        after, took = read(), time.monotonic() - start
        return after[0] - before[0], after[1] - before[1], took

    yield over
    lab.run("r1", ["nft", "delete", "table", "inet", "slices"])


def pings(targets, interval):
    return ["ping -c 65535 -i %s -W 1 %s" % (interval, t) for t in targets]


def start(pair, uid, targets, interval="0.001"):
    return pair.popen(["-p", "0", "-w", "1000", "-q", "-I", *pings(targets, interval)], uid=uid,
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def end(*children):
    for child in children:
        child.kill()
        child.wait()


def within(counts, good, seconds=6):
    """Some second of the next few shows it: other work on the machine may spoil one."""
    seen = []
    for _ in range(seconds):
        low, high, took = counts(1)
        seen.append((low, high, took))
        if good(low, high, took):
            return
    pytest.fail("no such second among %r" % seen)


def near(found, wanted, rel=0.05):
    return found == pytest.approx(wanted, rel=rel)


@pytest.mark.parametrize("pps", [200, 2000, 12000])
def test_two_slices_get_their_shares(lab, counts, pps):
    with pair_module.Vantage(lab, node="t", conf=CONF + "pps %d\n" % pps) as pair:
        alice, bob = start(pair, ALICE, LOW), start(pair, BOB, HIGH)
        try:
            time.sleep(1.5)
            within(counts, lambda low, high, took: near(low / (low + high), 1 / 4) and near((low + high) / took, pps))
            # What one leaves, the other has.
            end(bob)
            time.sleep(0.5)
            within(counts, lambda low, high, took: near(low / took, pps) and high == 0)
        finally:
            end(alice, bob)


def test_many_clients_of_a_slice_have_one_share(lab, counts):
    with pair_module.Vantage(lab, node="t", conf=CONF + "pps 1000\n") as pair:
        children = [start(pair, ALICE, LOW[i::5], "0.01") for i in range(5)]
        children.append(start(pair, BOB, HIGH))
        try:
            time.sleep(1.5)
            within(counts, lambda low, high, took: near(low / (low + high), 1 / 4))
        finally:
            end(*children)


def test_a_slice_is_held_to_its_limits(lab, counts):
    with pair_module.Vantage(lab, node="t", conf=CONF) as pair:
        carol = start(pair, CAROL, LOW[:4])
        try:
            time.sleep(1)
            within(counts, lambda low, high, took: near(low / took, 50, 0.06))
            late = pair.popen(["-I", "ping -c 1 " + LOW[5]], uid=CAROL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
            time.sleep(1.5)
            assert late.poll() is None
            done = pair.cli(["-I", "trace " + LOW[5]], uid=CAROL)
            assert "slice gamma: methods ping, not trace" in done.stderr
        finally:
            end(carol)
        said = late.communicate(timeout=10)[1]
        assert "slice gamma: running 4, 0 left; again when one of them ends: the others wait" in said
        assert late.returncode == 0


def test_a_list_longer_than_what_may_run_is_done_whole(lab):
    with pair_module.Vantage(lab, node="t", conf=CONF) as pair:
        targets = ["203.0.113.2", "198.51.100.1"] * 20
        done = pair.cli(["-p", "1000", "-O", "json", "-c", "ping -c 1 -o 1 -W 0.2", "-i", *targets], uid=CAROL)
        assert done.returncode == 0 and done.stderr.count("\n") == 1, done.stderr
        assert sorted(r["dst"] for r in pair_module.records(done.stdout)) == sorted(targets)


@pytest.mark.parametrize("command", ["ping -c 1 -W 0.5", "ping -P udp -c 1 -W 0.5",
                                     "trace -m 2 -w 1 -q 1"])
def test_slices_do_not_wait_for_each_other_at_a_target(lab, command):
    """Without -s and -F each slice has a port and an ICMP id of its own."""
    with pair_module.Vantage(lab, node="t", conf=CONF) as pair:
        alice = pair.popen(["-q", "-I", "ping -c 600 203.0.113.2", "ping -P udp -c 600 203.0.113.2",
                            "trace -P icmp -w 10 -q 20 203.0.113.4"], uid=ALICE,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)
            begin = time.monotonic()
            done = pair.cli(["-I", command + " 203.0.113.2"], uid=BOB)
            assert done.returncode == 0 and time.monotonic() - begin < 3, done
        finally:
            end(alice)


def test_a_configuration_with_an_unknown_user_is_refused(lab):
    with pytest.raises(pair_module.ProbeError, match="no user 'vx-nobody'"):
        with pair_module.Vantage(lab, node="t", conf="slice x uid vx-nobody\n"):
            pass
