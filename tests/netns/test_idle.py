"""A worker that has nothing to do sleeps: no timer of any kind of work is left
behind."""
import socket
import time

import pytest

import pair as pair_module

QUIET_S = 3


@pytest.fixture
def pair(lab):
    with pair_module.Vantage(lab, node="t") as it:
        yield it


def wakes(pair):
    """How often the worker has slept and been woken so far."""
    with open("/proc/%d/status" % pair.worker_pid()) as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt_switches"))


def quietest(pair, tries=3):
    """Wake-ups in the quietest of some spans: what the lab's kernel sends of its
    own accord (neighbours, groups) wakes it as well."""
    seen = []
    for _ in range(tries):
        before = wakes(pair)
        time.sleep(QUIET_S)
        seen.append(wakes(pair) - before)
        if seen[-1] == 0:
            break
    return min(seen)


def test_a_worker_without_work_is_not_woken(pair):
    assert quietest(pair) == 0
    assert pair.run(["ping -c 2 -i 0.01 192.0.2.1", "trace 192.0.2.1"])
    assert pair.cli(["reload", pair.conf_path], uid=0).returncode == 0
    with socket.socket(socket.AF_UNIX) as left:  # attached, and gone in the midst
        left.connect(pair.socket)
        left.sendall(b"attach\nping -c 100 192.0.2.1\n")
        time.sleep(0.2)
    assert quietest(pair) == 0
