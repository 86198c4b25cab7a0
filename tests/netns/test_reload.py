"""A new configuration for the running pair: what holds at once, what waits for a
restart, and what a bad file changes (nothing)."""
import grp
import json
import os
import re
import signal
import subprocess
import time

import pytest

import pair as pair_module

ALICE, BOB = 61001, 61002
SINK = ["198.51.100.%d" % i for i in range(130, 160)]

CONF = """max-pps 500
pps 400
window 900
slice alpha uid %d
slice alpha share 1
""" % ALICE


def write(pair, text):
    with open(pair.conf_path, "w") as conf:
        conf.write(text)


def reload(pair, uid=0, path=None):
    return pair.cli(["reload", path or pair.conf_path], uid=uid)


def check(pair, path=None):
    return pair.lab.run(pair.node, pair_module.as_user([pair.client, "check-config", path or pair.conf_path], 0),
                        errors="surrogateescape")


def status(pair):
    return json.loads(pair.cli(["status", "--json"], uid=0).stdout)


def slices(pair):
    return {s["name"]: s for s in status(pair)["slices"]}


@pytest.fixture
def pair(lab):
    with pair_module.Vantage(lab, node="t", conf=CONF) as it:
        # The lab's users are not those of the units.
        write(it, CONF)
        yield it


def pings(pair, uid, targets, interval="0.01"):
    """A client that is busy until it is killed."""
    return pair.popen(["-p", "0", "-w", "1000", "-q", "-I",
                       *["ping -c 65535 -i %s -W 1 %s" % (interval, t) for t in targets]],
                      uid=uid, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def eventually(good, seconds=8):
    deadline = time.monotonic() + seconds
    while True:
        seen = good()
        if seen or time.monotonic() > deadline:
            return seen
        time.sleep(0.2)


def test_a_new_file_holds_at_once_and_disturbs_nobody(pair):
    steady = pair.popen(["-O", "json", "-I", "ping -c 30 -i 0.1 -o 30 192.0.2.1"],
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    busy = pings(pair, ALICE, SINK)
    try:
        assert eventually(lambda: 350 < slices(pair)["alpha"]["rate"] < 430)
        accepted = slices(pair)["alpha"]["accepted"]
        write(pair, CONF.replace("pps 400", "pps 200") + "slice alpha pps 50\nslice beta uid %d\n" % BOB)
        done = reload(pair)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        it = slices(pair)
        assert list(it) == ["operators", "default", "alpha", "beta"]
        assert it["alpha"]["pps"] == 50 and it["alpha"]["part"] == 50
        # Its counts and what it runs are still its own.
        assert it["alpha"]["accepted"] == accepted and it["alpha"]["running"] == len(SINK)
        assert eventually(lambda: 45 <= slices(pair)["alpha"]["rate"] <= 55)
        # The slice is gone: its client is one of the others.
        write(pair, "max-pps 500\npps 300\n")
        assert reload(pair).returncode == 0
        it = slices(pair)
        assert list(it) == ["operators", "default"]
        assert it["default"]["running"] >= len(SINK) and it["default"]["clients"] >= 1
        assert eventually(lambda: 260 < slices(pair)["default"]["rate"] < 330)
        (record,) = pair_module.records(steady.communicate(timeout=30)[0])
        assert record["statistics"]["replies"] == 30
        assert busy.poll() is None
    finally:
        steady.kill()
        busy.kill()
        busy.wait()
    assert eventually(lambda: slices(pair)["default"]["running"] == 0)


BAD = [("pps 10\nppps 10\n", "%s:2:1: 'ppps' is no word of this file"),
       ("pps 0\n", "%s:1:5: pps: '0' is not a number from 1 to 1000000"),
       ("slice x uid vx-nobody\n", "%s:1:7: slice: no user 'vx-nobody'"),
       ("operators vx-nobody\n", "%s:1:11: operators: no group 'vx-nobody'"),
       ("slice a share 2\ntcp-slice x\n", "%s:2:11: tcp-slice: no slice 'x'"),
       ("nameserver ns.example\n", "%s:1:12: nameserver: 'ns.example' is no IPv4 or IPv6 address"),
       ("user vx-nobody\n", "%s:1:6: no user 'vx-nobody'"),
       ("dnp /nonexistent/x\n", "%s:1:5: /nonexistent/x: No such file or directory")]


def test_a_bad_file_changes_nothing_and_says_where(pair):
    before = slices(pair)
    for text, says in BAD:
        write(pair, text)
        for done in (reload(pair), check(pair)):
            assert done.returncode == 78, text
            assert says % pair.conf_path in done.stderr and done.stdout == "", done
    assert slices(pair).keys() == before.keys()
    assert status(pair)["pps"] == 400
    os.chmod(pair.conf_path, 0o666)
    assert reload(pair).returncode == 78
    # A prefix file is read as a start would read it.
    os.chmod(pair.conf_path, 0o644)
    dnp = os.path.join(pair.dir, "dnp")
    with open(dnp, "w") as out:
        out.write("# none\n192.0.2.0/33\n")
    write(pair, "dnp %s\n" % dnp)
    assert "%s:2:1: prefix length '33'" % dnp in reload(pair).stderr


def test_a_good_file_is_said_to_be_good(pair):
    done = check(pair)
    assert (done.returncode, done.stdout) == (0, pair.conf_path + ": ok\n")
    write(pair, CONF + "pps 600\n")
    done = check(pair)
    assert done.returncode == 0
    assert "pps 600 is more than max-pps: 500 is what holds" in done.stderr
    assert check(pair, "/nonexistent/conf").returncode == 78


def test_the_name_server_is_a_word_of_the_file(pair):
    done = pair.cli(["trace", "-O", "ptr", "-m", "1", "192.0.2.34"])
    assert done.returncode == 0 and "there is no name server" in done.stderr
    write(pair, CONF + "nameserver 203.0.113.2\n")
    assert reload(pair).returncode == 0
    assert talk(pair, ["get nameserver"], ALICE) == ["OK nameserver 203.0.113.2"]
    done = pair.cli(["trace", "-O", "ptr", "-m", "1", "192.0.2.34"])
    assert (done.returncode, done.stderr) == (0, "")
    # Another that was set meanwhile is forgotten, as with the other words.
    assert talk(pair, ["set nameserver 203.0.113.3"], 0) == ["OK"]
    assert reload(pair).returncode == 0
    assert talk(pair, ["get nameserver"], ALICE) == ["OK nameserver 203.0.113.2"]
    write(pair, CONF)
    assert reload(pair).returncode == 0
    assert talk(pair, ["get nameserver"], ALICE) == ["OK null nameserver"]


RESTART = "vantage: %s: changed; takes effect after: systemctl restart vantage-privd\n"


def test_what_a_restart_alone_changes_is_said(pair):
    write(pair, CONF + "mark 90\nspoof yes\nlisten 31337\nport udp/133\n")
    done = reload(pair)
    assert done.returncode == 0
    assert done.stderr == "".join(RESTART % w for w in ("mark", "spoof", "port", "listen"))
    dnp = os.path.join(pair.dir, "dnp")
    with open(dnp, "w") as out:
        out.write("203.0.113.0/24\n")
    write(pair, CONF + "dnp %s\n" % dnp)
    done = reload(pair)
    assert done.stderr.startswith(RESTART % "dnp")
    assert "dnp: these files are read when vantage-privd starts" in done.stderr


def test_the_rate_stays_below_what_the_kernel_lets_through(pair):
    write(pair, CONF.replace("pps 400", "pps 9000"))
    done = reload(pair)
    assert done.returncode == 0
    assert "pps: 500 holds, not 9000, by the max-pps of vantage-privd" in done.stderr
    assert status(pair)["pps"] == 500


def test_the_same_at_a_start(lab):
    with pair_module.Vantage(lab, node="t", conf="max-pps 500\npps 9000\n") as pair:
        assert "pps 9000 is more than vantage-privd allows: 500 is what holds" in pair.log()
        assert status(pair)["pps"] == 500


@pytest.mark.parametrize("odd", ["gr\u00fcn", "\u65e5\u672c", "tab\there", "\udcff\udcfe", "back\\slash \\x41"])
def test_a_path_may_have_any_bytes(lab, tmp_path, odd):
    """That of the file, and those in it: the worker gets what the file says."""
    dnp = tmp_path / odd
    dnp.write_text("203.0.113.0/24\n")
    text = b"max-pps 500\ndnp " + os.fsencode(dnp) + b"\n"
    with pair_module.Vantage(lab, node="t") as pair:
        pair.stop()
        pair.conf_path = str(dnp) + ".conf"
        for pps, more in (400, b""), (300, b"dnp " + os.fsencode(dnp) + b"\n"):
            with open(pair.conf_path, "wb") as conf:
                conf.write(b"pps %d\n" % pps + text + more)
            if more == b"":
                pair.start()
            assert check(pair).returncode == 0
            done = reload(pair)
            assert done.returncode == 0, done
            assert (RESTART % "dnp" in done.stderr) == (more != b""), done
            assert "dnp: these files are read when vantage-privd starts" in done.stderr
            assert status(pair)["pps"] == pps
        # What is wrong in it is named, and nothing raw is printed.
        dnp.write_text("203.0.113.0/33\n")
        for done in check(pair), reload(pair):
            assert done.returncode == 78 and ":1:1: prefix length '33'" in done.stderr, done
            assert done.stderr.rstrip("\n").isprintable() and done.stderr.isascii()


def test_only_an_operator_reloads(pair):
    done = reload(pair, uid=ALICE)
    assert done.returncode == 77
    assert "not permitted: config is for operators" in done.stderr
    assert status(pair)["pps"] == 400
    done = pair.cli(["reload", "--socket", "/nonexistent/sock", pair.conf_path], uid=0)
    assert done.returncode == 69


# ---- operators by group ----

def talk(pair, lines, uid, groups=(), gid=None):
    """Lines on the socket as a user with these groups besides its own; the answers."""
    program = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
               "s.sendall((chr(10).join(sys.argv[2:]) + chr(10)).encode()); "
               "f = s.makefile(); [print(f.readline(), end='') for _ in sys.argv[2:]]")
    more = ["--groups=" + ",".join(map(str, groups))] if groups else ["--clear-groups"]
    done = pair.lab.run(pair.node, ["setpriv", "--reuid=%d" % uid, "--regid=%d" % (gid or uid),
                                    *more, "/usr/bin/python3", "-c", program, pair.socket, *lines])
    return done.stdout.splitlines()


def test_operators_are_a_group(lab):
    group = "games"     # any that every system has
    gid = grp.getgrnam(group).gr_gid
    with pair_module.Vantage(lab, node="t", conf="operators %s\n" % group) as pair:
        asks = ["set pps 999", "source add", "outfile open", "lss-clear none", "config begin"]
        # The group among others, as a user has it who was added to it.
        member = talk(pair, asks, BOB, groups=[BOB, gid])
        assert member[0] == "OK pps 999"
        assert not any("not permitted" in line for line in member), member
        assert member[4] == "OK"
        # And as the group that it came with.
        assert talk(pair, ["set window 5"], BOB, gid=gid) == ["OK window 5"]
        stranger = talk(pair, asks, BOB, groups=[BOB, BOB + 1])
        assert stranger[0] == "ERR not permitted: set pps is for operators"
        assert stranger[4] == "ERR not permitted: config is for operators"
        assert talk(pair, ["shutdown now"], ALICE) == ["ERR not permitted: shutdown is for operators"]
        # Another's measurements are theirs to end, and nobody else's.
        busy = pings(pair, ALICE, SINK[:1])
        try:
            assert eventually(lambda: status(pair)["sources"])
            (source,) = [s["name"] for s in status(pair)["sources"]]
            assert talk(pair, ["halt " + source], BOB) == ["ERR no source '%s'" % source]
            assert talk(pair, ["halt " + source], BOB, groups=[gid]) == [
                "OK halted 1 of '%s'" % source]
        finally:
            busy.kill()
            busy.wait()
        # The file is read again by who may read it, as an operator too.
        write(pair, "max-pps 100000\npps 77\noperators %s\n" % group)
        done = pair.lab.run(pair.node, ["setpriv", "--reuid=%d" % BOB, "--regid=%d" % BOB, "--groups=%d" % gid,
                                        pair.client, "--socket", pair.socket, "reload", pair.conf_path])
        assert done.returncode == 0, done
        assert talk(pair, ["get pps"], BOB) == ["OK pps 77"]
        # Another group at a reload, and who was an operator is none.
        write(pair, "max-pps 100000\n")
        assert reload(pair).returncode == 0
        assert "not permitted" in talk(pair, ["set pps 999"], BOB, groups=[gid])[0]
        write(pair, "max-pps 100000\noperators %s\n" % group)
        assert reload(pair).returncode == 0
        assert talk(pair, ["shutdown now"], BOB, groups=[gid]) == ["OK"]
        assert pair.privd.wait(10) == 0


# ---- signals ----

def test_hangup_ends_nobody_and_says_what_to_do(pair):
    worker = pair.worker_pid()
    os.kill(worker, signal.SIGHUP)
    pair.privd.send_signal(signal.SIGHUP)
    assert eventually(lambda: len(re.findall("to reload: vantage reload", pair.log())) == 2), pair.log()
    assert pair.worker_pid() == worker
    assert pair.one("ping -c 1 192.0.2.1")["statistics"]["replies"] == 1


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_storm_of_signals_ends_the_pair_cleanly(lab, first):
    with pair_module.Vantage(lab, node="t") as pair:
        worker = pair.worker_pid()
        busy = pings(pair, ALICE, SINK[:5])
        try:
            assert eventually(lambda: status(pair)["sources"])
            for i in range(300):
                for pid in (pair.privd.pid, worker):
                    try:
                        os.kill(pid, (signal.SIGHUP, first, signal.SIGHUP, signal.SIGTERM, signal.SIGINT)[i % 5])
                    except ProcessLookupError:
                        pass
            assert pair.privd.wait(10) == 0, pair.log()
        finally:
            busy.kill()
            busy.wait()
        assert not os.path.exists("/proc/%d" % worker)
        assert "table inet vantage" not in lab.run("t", ["nft", "list", "tables"]).stdout
        assert "policy stays" not in pair.log()
        assert not pair_module.is_socket(pair.socket)


# ---- too many doors ----

def test_a_ninth_listener_is_refused(lab):
    ninth = "".join("control /tmp/vops-%d.sock\n" % i for i in range(7)) + "listen 31337\n"
    # The pair's own --socket is one more: nine.
    with pytest.raises(pair_module.ProbeError, match="control and listen: at most 8 sockets"):
        with pair_module.Vantage(lab, node="t", conf=ninth):
            pass
    nine = "".join("control /tmp/vops-%d.sock\n" % i for i in range(9))
    with pytest.raises(pair_module.ProbeError, match=r"conf:11:9: control: at most 8 of them"):
        with pair_module.Vantage(lab, node="t", conf=nine):
            pass
    assert not [n for n in os.listdir("/tmp") if n.startswith("vops-") and n.endswith(".sock")]
