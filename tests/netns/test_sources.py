"""Managed sources and output files: the real pair with a data directory."""
import gzip
import os
import pwd
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

import lab as net
import pair as pair_module


class Control:
    """An interactive session."""
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(path)
        self.stream = self.sock.makefile("rwb", buffering=0)

    def say(self, line):
        """The reply: all lines up to OK or ERR."""
        self.stream.write(line.encode() + b"\n")
        lines = []
        while True:
            lines.append(self.stream.readline().decode().rstrip("\n"))
            if re.match(r"OK\b|ERR\b|$", lines[-1]):
                return "\n".join(lines)

    def read(self):
        return self.stream.read()

    def line(self):
        return self.stream.readline().decode().rstrip("\n")

    def close(self):
        self.stream.close()
        self.sock.close()


class Service(pair_module.Vantage):
    """A pair on T with a data directory, which outlives its restarts."""
    def __init__(self, lab, conf=""):
        self.data = tempfile.mkdtemp(prefix="vantage-vs-")
        who = pwd.getpwnam("vantage")
        os.chown(self.data, who.pw_uid, who.pw_gid)
        os.chmod(self.data, 0o700)
        super().__init__(lab, options=["--data", self.data], node="t", conf=conf)

    def __exit__(self, *exc):
        super().__exit__(*exc)
        shutil.rmtree(self.data, ignore_errors=True)

    def control(self):
        return Control(self.socket)

    def path(self, name):
        return os.path.join(self.data, name)

    def put(self, name, lines):
        with open(self.path(name), "w") as out:
            out.writelines(line + "\n" for line in lines)
        os.chmod(self.path(name), 0o644)

    def dump(self, name):
        """What Debian's reader makes of a file; it takes no empty one."""
        if os.path.getsize(self.path(name)) == 0:
            return ""
        done = subprocess.run(["sc_wartsdump", self.path(name)], capture_output=True, text=True)
        assert done.returncode == 0, done
        return done.stdout

    def read(self, name):
        """The same of one that may be compressed."""
        if not name.endswith(".gz"):
            return self.dump(name)
        with gzip.open(self.path(name)) as packed, open(self.path(".plain"), "wb") as plain:
            plain.write(packed.read())
        return self.dump(".plain")


@pytest.fixture
def service(lab):
    with Service(lab) as it:
        yield it


def test_outfiles_are_made_in_the_data_directory_alone(service):
    ctl = service.control()
    os.mkfifo(service.path("fifo"))
    os.symlink("/etc/passwd", service.path("link"))
    os.mknod(service.path("null"), 0o20666, os.makedev(1, 3))
    assert ctl.say("outfile open name a file a.warts mode truncate") == "OK"
    for bad in ("../x", "/etc/passwd", "fifo", "link", "null", ".state"):
        assert ctl.say("outfile open name b file %s mode append" % bad) == "ERR could not add outfile", bad
    assert ctl.say("outfile list") == "INFO 'a' file 'a.warts' refcnt 1\nOK"
    assert os.stat(service.path("a.warts")).st_uid == pwd.getpwnam("vantage").pw_uid
    ctl.close()


def test_a_private_pair_has_no_files(lab):
    """Nor has a service without a directory; neither dies of being asked."""
    with pair_module.Vantage(lab, node="t") as it:
        if os.path.isdir("/var/lib/vantage"):
            pytest.skip("this machine has a data directory")
        ctl = Control(it.socket)
        assert ctl.say("outfile list").startswith("ERR no data directory")
        ctl.close()


def test_a_shutdown_ends_the_pair_and_takes_the_socket_along(service):
    ctl = service.control()
    ctl.stream.write(b"shutdown done\n")
    assert ctl.read() == b"OK\n"
    assert service.privd.wait(10) == 0


# ---- sources ----

def addresses(count):
    """Distinct ones, all routed into nowhere."""
    return ["198.18.%d.%d" % (i // 250, i % 250 + 1) for i in range(count)]


def wait_for(what, seconds=20):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def targets(dump):
    return re.findall(r"^ping from \S+ to (\S+)", dump, re.M)


def test_a_list_is_measured_cycle_by_cycle(service):
    """Checklist 8 and 9 of the protocol's reference."""
    ctl, watch = service.control(), service.control()
    service.put("l", ["# the two", net.DST[4], net.ALIAS[4] + " # too", "", "nonsense"])
    assert watch.say("observe sources") == "OK"
    assert ctl.say("outfile open name o file o.warts mode truncate") == "OK"
    assert ctl.say('source add name s list_id 5 command "ping -c 1 -o 1" file l outfile o cycles 2') == \
        "OK source added"
    seen = [re.sub(r"EVENT \d+ source ", "", watch.line()) for _ in range(4)]
    assert seen == [
        "add name 's' list_id 5 cycle_id 1 priority 1 outfile 'o' type 'file' file 'l' cycles 2 autoreload off",
        "cycle 's' id 1", "cycle 's' id 2", "finish 's'"]
    assert ctl.say("source list") == "OK"
    assert ctl.say("outfile close o") == "OK"
    dump = service.dump("o.warts")
    assert targets(dump) == [net.DST[4], net.ALIAS[4]] * 2
    assert re.findall(r"^(cycle \w+|list)", dump, re.M) == [
        "list", "cycle start", "cycle stop", "cycle start", "cycle stop"]
    ctl.close()
    watch.close()


@pytest.fixture
def slow_service(lab):
    """Slow from its first moment, so that a restart finds it in its cycle."""
    with Service(lab, conf="pps 300\n") as it:
        yield it


def test_a_restart_in_a_cycle_loses_and_repeats_nothing(slow_service):
    service = slow_service
    todo = addresses(1200)
    service.put("l", todo)
    ctl = service.control()
    assert ctl.say("outfile open name o file o.warts mode truncate") == "OK"
    assert ctl.say('source add name s command "ping -c 1 -W 1" file l outfile o') == "OK source added"
    for sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        ctl.close()
        time.sleep(0.9)
        if sig == signal.SIGKILL:
            os.kill(service.worker_pid(), sig)
            service.privd.wait(10)
        else:
            service.stop()
        service.start()
        ctl = service.control()
        assert "cycle_id 1 " in ctl.say("source list")
    wait_for(lambda: ctl.say("source list") == "OK")
    assert ctl.say("outfile close o") == "OK"
    dump = service.dump("o.warts")
    assert sorted(targets(dump)) == sorted(todo)
    assert re.findall(r"^(cycle \w+|list)", dump, re.M) == ["list", "cycle start", "cycle stop"]
    ctl.close()


def test_checklist_11_the_mix_follows_the_priorities(service):
    """Checklist 11."""
    ctl = service.control()
    service.put("l", addresses(60000))
    assert ctl.say("set pps 2000") == "OK pps 2000"
    for name, priority in (("a", 1), ("b", 3)):
        assert ctl.say("outfile open name %s file %s mode truncate" % (name, name)) == "OK"
        assert ctl.say('source add name %s command "ping -c 1 -W 1 -F %d" file l outfile %s priority %d' % (
            name, 5000 if name == "a" else 6000, name, priority)) == "OK source added"
    time.sleep(3)
    for name in "ab":
        assert ctl.say("source update %s priority 0" % name) == "OK"
    time.sleep(1.5)
    got = {}
    for name in "ab":
        assert re.match(r"OK source", ctl.say("source delete " + name))
    wait_for(lambda: ctl.say("source list") == "OK")
    for name in "ab":
        assert ctl.say("outfile close " + name) == "OK"
        got[name] = len(targets(service.dump(name)))
    assert got["a"] > 500 and abs(got["b"] / got["a"] - 3) < 0.1, got
    ctl.close()


def rss(pid):
    with open("/proc/%d/status" % pid) as lines:
        return int(re.search(r"VmRSS:\s+(\d+)", lines.read()).group(1))


def test_a_million_lines_are_not_held(service):
    ctl = service.control()
    with open(service.path("l"), "w") as out:
        for i in range(1000000):
            out.write("198.%d.%d.%d\n" % (18 + (i >> 16 & 1), i >> 8 & 255, i & 255))
    os.chmod(service.path("l"), 0o644)
    before = rss(service.worker_pid())
    assert ctl.say("outfile open name o file o.warts mode truncate") == "OK"
    assert ctl.say('source add name s command "ping -c 1 -W 1" file l outfile o') == "OK source added"
    time.sleep(3)
    assert rss(service.worker_pid()) - before < 64 * 1024
    assert ctl.say("source delete s") == "OK source 's' deleted"
    ctl.close()


def test_flush_finishes_what_runs_and_keeps_the_place(service):
    todo = addresses(200)
    service.put("l", todo)
    ctl = service.control()
    ctl.say("set pps 100")
    assert ctl.say("outfile open name o file o.warts mode truncate") == "OK"
    assert ctl.say('source add name s command "ping -c 1 -W 1" file l outfile o') == "OK source added"
    time.sleep(0.7)
    ctl.stream.write(b"shutdown flush\n")
    assert ctl.read() == b"OK\n"
    assert service.privd.wait(10) == 0
    first = targets(service.dump("o.warts"))
    assert 20 < len(first) < 150 and len(set(first)) == len(first)
    service.start()
    ctl = service.control()
    ctl.say("set pps 1000")
    wait_for(lambda: ctl.say("source list") == "OK")
    ctl.say("outfile close o")
    assert sorted(targets(service.dump("o.warts"))) == sorted(todo)
    ctl.close()


@pytest.mark.parametrize("suffix", ["warts", "warts.gz"])
def test_rotation_splits_and_loses_nothing(service, suffix):
    todo = addresses(6000)
    service.put("l", todo)
    ctl = service.control()
    ctl.say("set pps 2000")
    for name in ("o", "spare"):
        assert ctl.say("outfile open name %s file %s.0.%s mode truncate" % (name, name, suffix)) == "OK"
    assert ctl.say('source add name s command "ping -c 1 -W 1" file l outfile o') == "OK source added"
    files, turn = ["o.0." + suffix, "spare.0." + suffix], 0
    while ctl.say("source list") != "OK":
        turn += 1
        assert ctl.say("outfile swap o spare") == "OK"
        assert ctl.say("outfile close spare") == "OK"
        # At first without a pause, then so that there is something in them.
        time.sleep(0.02 if turn > 300 else 0)
        files.append("spare.%d.%s" % (turn, suffix))
        assert ctl.say("outfile open name spare file %s mode truncate" % files[-1]) == "OK"
    for name in ("o", "spare"):
        assert ctl.say("outfile close " + name) == "OK"
    assert turn > 330
    found = [targets(service.read(f)) for f in files]
    assert sum(1 for f in found if len(f) > 0) > 20
    assert sorted(t for f in found for t in f) == sorted(todo)
    ctl.close()


@pytest.mark.parametrize("suffix", ["warts", "warts.gz"])
def test_killed_twenty_times_all_is_measured_once(lab, suffix):
    """At moments that nobody chose; each start mends what the last left."""
    todo = addresses(9000)
    with Service(lab, conf="pps 1500\n") as it:
        it.put("l", todo)
        ctl = it.control()
        assert ctl.say("outfile open name o file o.%s mode truncate" % suffix) == "OK"
        assert ctl.say('source add name s command "ping -c 1 -W 1" file l outfile o') == "OK source added"
        for _ in range(20):
            ctl.close()
            time.sleep(random.uniform(0.05, 0.8))
            os.kill(it.worker_pid(), signal.SIGKILL)
            it.privd.wait(10)
            it.start()
            ctl = it.control()
            found = targets(it.read("o." + suffix))
            assert len(set(found)) == len(found)
        wait_for(lambda: ctl.say("source list") == "OK", 60)
        assert ctl.say("outfile close o") == "OK"
        assert sorted(targets(it.read("o." + suffix))) == sorted(todo)
        ctl.close()


def test_a_long_file_is_appended_to_while_others_measure(service):
    """Nobody waits for it to be looked through."""
    ctl = service.control()
    service.put("l", addresses(300))
    ctl.say("set pps 5000")
    assert ctl.say("outfile open name o file o.warts mode truncate") == "OK"
    assert ctl.say('source add name s command "ping -c 1 -W 1" file l outfile o') == "OK source added"
    wait_for(lambda: ctl.say("source list") == "OK")
    assert ctl.say("outfile close o") == "OK"
    # Two hundred megabytes of a kind of record that nobody reads.
    with open(service.path("o.warts"), "ab") as out:
        for _ in range(200):
            out.write(struct.pack(">HHI", 0x1205, 99, 1 << 20))
            out.truncate(out.tell() + (1 << 20))
            out.seek(0, os.SEEK_END)
        out.write(b"\x12\x05\x00")
    whole = os.path.getsize(service.path("o.warts")) - 3
    took = time.monotonic()
    assert ctl.say("outfile open name o file o.warts mode append") == "OK"
    took = time.monotonic() - took
    assert took < 0.5
    assert ctl.say("outfile list") == "INFO 'o' file 'o.warts' refcnt 1 trouble 'it is being looked through'\nOK"
    assert ctl.say('source add name s command "ping -c 1 -W 1" file l outfile o') == "OK source added"
    wait_for(lambda: ctl.say("source list") == "OK", 60)
    assert ctl.say("outfile close o") == "OK"
    assert os.path.getsize(service.path("o.warts")) > whole
    done = subprocess.run([pair_module.program("vantage"), "dump", service.path("o.warts")],
                          capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count('"type":"ping"') == 600
    ctl.close()


def test_a_full_disk_holds_results_until_there_is_room(lab):
    """What waits is bounded: the source stops, and goes on by itself."""
    todo = addresses(20000)
    with Service(lab, conf="pps 20000\n") as it:
        it.stop()
        who = pwd.getpwnam("vantage")
        mount = ["mount", "-t", "tmpfs", "-o", "size=600k,mode=700,uid=%d,gid=%d" % (who.pw_uid, who.pw_gid),
                 "none", it.data]
        subprocess.run(mount, check=True)
        try:
            it.start()
            it.put("l", todo)
            ctl = it.control()
            assert ctl.say("outfile open name o file o.warts mode truncate") == "OK"
            assert ctl.say('source add name s command "ping -c 1 -W 1" file l outfile o') == "OK source added"
            wait_for(lambda: "results wait" in it.log() or "records wait" in it.log())
            assert "name 's'" in ctl.say("source list")
            wait_for(lambda: "No space left on device" in ctl.say("outfile list"))
            assert re.match(r"INFO 'o' file 'o.warts' refcnt 2 trouble '\d+ bytes wait: ", ctl.say("outfile list"))
            assert "outfile o: " in it.cli(["status"], uid=0).stdout
            assert len(targets(it.dump("o.warts"))) > 1000     # what is there is whole
            shown = it.cli(["ping", "-c", "1", net.DST[4]])
            assert shown.returncode == 0 and "1 packets received" in shown.stdout
            subprocess.run(["mount", "-o", "remount,size=16m", it.data], check=True)
            wait_for(lambda: ctl.say("source list") == "OK")
            assert ctl.say("outfile close o") == "OK"
            assert sorted(targets(it.dump("o.warts"))) == sorted(todo)
            assert ctl.say("outfile list") == "OK"
            ctl.close()
            it.stop()
        finally:
            subprocess.run(["umount", "-l", it.data], check=True)
