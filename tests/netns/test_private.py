"""`vantage` as root with no service: a pair for one command, and nothing left."""
import os
import signal
import subprocess
import tempfile
import time

import pytest

import lab as net
import pair as pair_module
from test_service import tables


@pytest.fixture
def alone(lab):
    """Run privately on T; afterwards no table, process or file may be left."""
    def children():
        out = subprocess.run(["ip", "netns", "pids", lab.name("t")], text=True,
                             capture_output=True).stdout.split()
        return {int(p) for p in out}

    def litter():
        mine = ("vantage-lab-", "vantage-systemd-")     # these tests' own, or another run's
        return {f for f in os.listdir(tempfile.gettempdir())
                if "vantage" in f and not f.startswith(mine)}

    files, before = litter(), children()
    yield lambda args, **kw: pair_module.private(lab, args, **kw)
    time.sleep(0.1)
    assert "vantage" not in tables(lab)
    assert children() - before == set()
    assert litter() - files == set()


def test_one_command(alone, af):
    done = alone(["-p", "1000", "-O", "json", "-I",
                  "trace -P icmp-paris -w 1 -q 1 -m 3 " + net.DST[af]])
    assert done.returncode == 0, done
    (record,) = pair_module.records(done.stdout)
    assert record["stop_reason"] == "HOPLIMIT" and len(record["hops"]) == 3


def test_verbs(alone):
    done = alone(["ping", "-c", "1", "-o", "1", net.DST[4]])
    assert done.returncode == 0, done
    assert net.DST[4] in done.stdout


def test_text_is_the_default(alone):
    done = alone(["-i", "-c", "ping -c 1 -o 1", net.DST[4]])
    assert done.returncode == 0 and "ping statistics" in done.stdout


def test_bad_command_leaves_nothing_either(alone, recorder_t):
    done = alone(["-I", "trace -q 99 " + net.DST[4]])
    assert done.returncode == 64 and recorder_t.probes() == []


def test_spoofed_source_needs_roots_word(alone, recorder_t):
    command = "ping -c 1 -W 1 -O spoof -S 192.0.2.99 " + net.DST[4]
    alone(["-O", "json", "-I", command])
    assert recorder_t.probes(src="192.0.2.99") == []


def test_do_not_probe_list_is_kept(alone, recorder_t, tmp_path):
    path = tmp_path / "dnp"
    path.write_text("# never\n203.0.113.0/28\n2001:db8:8::/64\n")
    for af in (4, 6):
        done = alone(["-p", "1000", "-O", "json", "-O", "dnp=%s" % path, "-I",
                      "ping -c 1 -W 1 " + net.DST[af],
                      "ping -c 1 -o 1 " + net.SMALL_MTU[af]])
        assert net.DST[af] in done.stderr or "do-not-probe" in done.stderr, done
        assert recorder_t.probes(dst=net.DST[af]) == []
        assert len(recorder_t.probes(dst=net.SMALL_MTU[af])) == 1


def test_do_not_probe_list_is_found_from_here(alone, recorder_t, tmp_path):
    (tmp_path / "list").write_text("203.0.113.0/28\n")
    done = alone(["-O", "dnp=list", "-I", "ping -c 1 -o 1 " + net.SMALL_MTU[4]], cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "", done
    assert len(recorder_t.probes(dst=net.SMALL_MTU[4])) == 1


def test_refusal_is_said_once(alone, lab):
    """There is one vantage-privd in a network namespace; it tells, and we do not repeat it."""
    first = lab.popen("t", pair_module.private_argv(["-I", "ping -c 100 -i 0.1 " + net.DST[4]]),
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while "vantage" not in tables(lab) and time.monotonic() < deadline:
        time.sleep(0.05)
    done = alone(["-I", "ping -c 1 -o 1 " + net.DST[4]])
    first.send_signal(signal.SIGINT)
    first.wait(10)
    assert done.returncode == 78 and done.stdout == "", done
    (line,) = done.stderr.splitlines()
    assert line.startswith("vantage-privd: another vantage-privd runs")


def test_interrupt_takes_the_pair_along(alone, lab):
    child = lab.popen("t", pair_module.private_argv(["-I", "ping -c 1000 -i 0.1 " + net.DST[4]]),
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.5)
    assert child.poll() is None
    child.send_signal(signal.SIGINT)
    assert child.wait(10) != 0


def test_killed_client_takes_the_pair_along(alone, lab):
    """kill -9 leaves nobody to clean up but the pair itself."""
    child = lab.popen("t", pair_module.private_argv(["-I", "ping -c 1000 -i 0.1 " + net.DST[4]]),
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.5)
    assert child.poll() is None
    child.kill()
    child.wait()
    time.sleep(2)
