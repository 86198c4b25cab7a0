"""Bad input, full disks and sudden death: a clear word, a whole file, and no
packet that should not have left."""
import json
import os
import signal
import subprocess
import time

import pytest

import lab as net
import pair as pair_module
from test_service import gone, processes, tables

USAGE, BAD_DATA, AWAY, CANNOT_CREATE = 64, 65, 69, 73

# What is wrong and a word that the one line must hold.
BAD_OPTIONS = {
    "unknown option": (["-Y"], "Y"),
    "unknown long option": (["--frobnicate", "-i", "192.0.2.1"], "frobnicate"),
    "rate out of range": (["-p", "1000001", "-i", "192.0.2.1"], "1000000"),
    "rate no number": (["-p", "fast", "-i", "192.0.2.1"], "fast"),
    "window out of range": (["-w", "65536", "-i", "192.0.2.1"], "65535"),
    "list id": (["-L", "0", "-i", "192.0.2.1"], "2147483647"),
    "two modes": (["-i", "-I", "192.0.2.1"], "-i"),
    "unknown -O": (["-O", "nonesuch", "-i", "192.0.2.1"], "nonesuch"),
    "no target": (["-i"], ""),
}

# A command that the language refuses, and the option or value to be named.
BAD_COMMANDS = {
    "unknown option": ("trace -Y 203.0.113.2", "Y"),
    "gap out of range": ("trace -g 256 203.0.113.2", "255"),
    "attempts out of range": ("trace -q 21 203.0.113.2", "20"),
    "attempts no number": ("trace -q two 203.0.113.2", "-q"),
    "conflict": ("trace -c 95 -Q 203.0.113.2", "confidence"),
    "pmtud in part": ("trace -M -f 2 203.0.113.2", "pmtud"),
    "repeated": ("trace -q 1 -q 2 203.0.113.2", "-q"),
    "bad address": ("trace 203.0.113.256", "address"),
    "missing value": ("ping -c", ""),
    "ping count": ("ping -c 65536 203.0.113.2", "65535"),
    "ping family": ("ping -R 2001:db8:8::2", "-R"),
    "ping mapped": ("ping ::ffff:203.0.113.2", "invalid destination address: "
                    "'::ffff:203.0.113.2' is an IPv4 address: write 203.0.113.2"),
    "trace mapped": ("trace ::ffff:cb00:7102", "is an IPv4 address: write 203.0.113.2"),
    "mapped source": ("ping -O spoof -S ::ffff:192.0.2.9 2001:db8:8::2", "-S failed: '::ffff:192.0.2.9' is an IPv4"),
    "no method": ("frobnicate 203.0.113.2", ""),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_option_is_one_line_and_64(name, pair, recorder):
    argv, word = BAD_OPTIONS[name]
    done = pair.cli(argv)
    assert done.returncode == USAGE, done
    assert done.stdout == ""
    assert word in done.stderr and len(done.stderr.strip().splitlines()) <= 2, done.stderr
    assert recorder.probes() == []


@pytest.mark.parametrize("name", BAD_COMMANDS)
def test_bad_command_is_named_and_nothing_is_sent(name, pair, recorder):
    command, word = BAD_COMMANDS[name]
    done = pair.cli(["-O", "json", "-I", command])
    assert done.returncode == USAGE, done
    assert word in done.stderr, done.stderr
    assert pair_module.records(done.stdout) == []
    assert recorder.probes() == []


def test_bad_lines_of_a_list_are_told_and_the_good_ones_run(pair, tmp_path):
    path = tmp_path / "list"
    path.write_text("# a list\n%s\nnot-an-address\n\n%s # the second\r\n300.1.1.1\n\t%s\n"
                    % (net.DST[4], net.ALIAS[4], net.DST[6]))
    done = pair.cli(["-p", "1000", "-O", "json", "-c", "ping -c 1 -o 1", "-f", str(path)])
    assert done.returncode == BAD_DATA, done
    got = pair_module.records(done.stdout)
    assert {net.DST[4], net.ALIAS[4]} <= {r["dst"] for r in got}
    told = [line for line in done.stderr.splitlines() if "not-an-address" in line
            or "300.1.1.1" in line]
    assert any("3" in t for t in told) and any("6" in t for t in told), done.stderr


def test_a_list_of_nothing_but_bad_lines_ends(pair, tmp_path):
    path = tmp_path / "list"
    path.write_text("nothing\ngood\nhere\n")
    done = pair.cli(["-c", "ping", "-f", str(path)], timeout=20)
    assert done.returncode == BAD_DATA and len(done.stderr.splitlines()) >= 3


def test_commands_from_standard_input(pair):
    text = "ping -c 1 -o 1 %s\ntrace -w 1 -m 2 %s\n" % (net.DST[4], net.DST[6])
    done = pair.cli(["-p", "1000", "-O", "json", "-O", "cmdfile", "-f", "-"], input=text)
    assert done.returncode == 0, done.stderr
    assert {r["type"] for r in pair_module.records(done.stdout)} == {"ping", "trace"}


def test_no_service_says_what_to_do(lab, pair):
    argv = pair_module.as_user([pair.client, "--socket", "/nonexistent/control.sock",
                                "-i", net.DST[4]])
    done = lab.run("s", argv)
    assert done.returncode == AWAY, done
    assert "/nonexistent/control.sock" in done.stderr


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs", str(folder)],
                   check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def whole(path):
    """Whether a warts file has nothing but whole records, by the yardstick's
    reader and by ours."""
    ours = subprocess.run([pair_module.program("vantage"), "dump", str(path)],
                          capture_output=True, text=True)
    theirs = subprocess.run(["sc_warts2json", str(path)], capture_output=True, text=True)
    assert len(pair_module.records(ours.stdout)) == len(pair_module.records(theirs.stdout))
    return ours.returncode == 0, pair_module.records(ours.stdout)


def test_full_disk_is_told_and_the_file_is_whole(pair, small_disk, tmp_path):
    path = small_disk / "out.warts"
    commands = tmp_path / "commands"
    commands.write_text("".join("ping -c 40 -o 40 -i 0.005 -F %d %s\n"
                                % (5000 + i, net.DST[4]) for i in range(60)))
    done = pair.cli(["-p", "20000", "-o", str(path), "-O", "cmdfile", "-f", str(commands)],
                    timeout=60)
    assert done.returncode == CANNOT_CREATE, done
    assert "space" in done.stderr.lower(), done.stderr
    good, got = whole(path)
    assert good and 0 < len(got) < 60
    assert os.path.getsize(path) <= 65536


def test_output_that_cannot_be_made(pair):
    done = pair.cli(["-o", "/nonexistent/out.warts", "-i", net.DST[4]])
    assert done.returncode == CANNOT_CREATE and "/nonexistent/out.warts" in done.stderr


def test_corrupt_files_tell_the_offset(pair, tmp_path):
    path = tmp_path / "good.warts"
    pair.cli(["-p", "1000", "-o", str(path), "-I"]
             + ["ping -c 1 -o 1 " + net.DST[4]] * 3)
    data = path.read_bytes()
    cut = tmp_path / "cut.warts"
    for size in (len(data) - 1, len(data) - 40, len(data) // 2, 5, 1):
        cut.write_bytes(data[:size])
        done = subprocess.run([pair.client, "dump", str(cut)], capture_output=True, text=True)
        assert done.returncode == BAD_DATA, (size, done)
        assert any(c.isdigit() for c in done.stderr)
        for line in done.stdout.splitlines():
            json.loads(line)
    broken = bytearray(data)
    broken[0] ^= 0xff
    cut.write_bytes(broken)
    done = subprocess.run([pair.client, "dump", str(cut)], capture_output=True, text=True)
    assert done.returncode == BAD_DATA and "0" in done.stderr


def long_run(it, path, dst):
    """A run of many records that is still going when something happens."""
    argv = ["-p", "2000", "-o", str(path), "-I"]
    argv += ["ping -c 2 -o 2 -i 0.01 -F %d %s" % (6000 + i, dst) for i in range(20)]
    argv += ["ping -c 1000 -i 0.05 -F 7000 " + dst]
    child = it.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    assert child.poll() is None, child.communicate()
    return child


@pytest.mark.parametrize("victim", ["worker", "privd"])
def test_sudden_death_is_told_and_leaves_nothing(victim, lab, recorder_t, tmp_path):
    path = tmp_path / "out.warts"
    with pair_module.Vantage(lab, node="t") as it:
        worker = it.worker_pid()
        child = long_run(it, path, net.DST[4])
        os.kill(worker if victim == "worker" else it.privd.pid, signal.SIGKILL)
        _, told = child.communicate(timeout=15)
        assert child.returncode == AWAY, (child.returncode, told)
        assert told.strip(), "a lost service is worth a line"
        good, got = whole(path)
        assert good and len(got) >= 20
        assert gone(worker)
        it.privd.wait(10)
        after = len(recorder_t.probes())
        time.sleep(0.5)
        assert len(recorder_t.probes()) == after, "something still sends"
        assert it.privd.returncode != 0
        if victim == "worker":
            assert "vantage" not in tables(lab)
        assert [p for p in processes(it.dir) if not gone(p, 1)] == []
        # The next start finds its way, whatever the last one left.
        it.start()
        assert it.one("ping -c 1 -o 1 " + net.DST[4])["statistics"]["replies"] == 1
        assert it.stop() == 0
        assert "vantage" not in tables(lab)


def test_killed_client_leaves_a_whole_file(fresh_pair, tmp_path):
    path = tmp_path / "out.warts"
    child = long_run(fresh_pair, path, net.DST[4])
    child.kill()
    child.communicate()
    good, got = whole(path)
    assert good and len(got) >= 20


def test_interrupt_writes_what_is_finished(fresh_pair, tmp_path):
    path = tmp_path / "out.warts"
    child = long_run(fresh_pair, path, net.DST[4])
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=10)
    assert child.returncode not in (0, -signal.SIGINT), told
    good, got = whole(path)
    assert good and len(got) >= 20
