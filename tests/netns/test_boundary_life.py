"""The privilege boundary over time: ports, the channel, the knobs of the policy,
ends by every death, and the real sandbox around somebody who tries to leave."""
import errno
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

from boundary import (FAR4, FAR6, HOSTILE, INSIDE, NEAR4, NEAR6, PRIVD, activated_privd, build,  # noqa: F401
                      far_send, hostile, inside, net, pair_of, quiet, run)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: sudo ./start test")


# --- ports ---

def test_port_of_another_program_is_refused(net, hostile):
    with inside(net.near), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 41100))
        assert hostile.do("ask(RESERVE, 2, 41100)")[0] == errno.EADDRINUSE
    assert hostile.do("ask(RESERVE, 2, 41100)")[0] == 0
    with inside(net.near), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError) as e:
            other.bind(("0.0.0.0", 41100))
        assert e.value.errno == errno.EADDRINUSE
    assert hostile.do("ask(RELEASE, 2, 41100)")[0] == 0


def test_reserved_udp_port_sends_no_unreachable(net, hostile):
    packet = "ip4(%r, %r, 17, struct.pack('!HHHH', 53, 41200, 8, 0))" % (FAR4, NEAR4)
    net.drain(0.01)
    far_send(net, build(packet))
    assert [p[20] for p in net.drain()] == [3]
    assert hostile.do("ask(RESERVE, 2, 41200)")[0] == 0
    far_send(net, build(packet))
    assert net.drain() == []


def test_low_port_needs_the_configuration(hostile):
    assert hostile.do("ask(RESERVE, 1, 22)")[0] in (errno.EACCES, errno.EADDRINUSE)
    assert hostile.do("ask(PORT, 2, 133)")[0] == errno.EACCES
    assert hostile.do("ask(RESERVE, 2, 0)")[0] == errno.EINVAL


def test_holds_have_a_limit_and_can_be_given_back(quiet):
    with pair_of(quiet) as it:
        assert it.do("[ask(RESERVE, 3, p)[0] for p in range(4096)].count(0)", 60) == 4096
        assert it.do("ask(RESERVE, 3, 5000)")[0] == errno.EDQUOT
        assert it.do("ask(RELEASE, 3, 17)")[0] == 0
        assert it.do("ask(RESERVE, 3, 5000)")[0] == 0
        assert it.do("ask(RELEASE, 3, 17)")[0] == errno.ENOENT


def test_a_port_reserved_twice_is_given_back_once(hostile):
    for proto in (1, 2, 3):
        assert hostile.do("ask(RESERVE, %d, 41300)" % proto)[0] == 0
        assert hostile.do("ask(RESERVE, %d, 41300)" % proto)[0] == 0
        assert hostile.do("ask(RELEASE, %d, 41300)" % proto)[0] == 0
        assert hostile.do("ask(RELEASE, %d, 41300)" % proto)[0] == errno.ENOENT


def test_a_number_is_reserved_for_each_protocol_by_itself(hostile):
    assert hostile.do("ask(RESERVE, 1, 41301)")[0] == 0
    assert hostile.do("ask(RELEASE, 2, 41301)")[0] == errno.ENOENT
    assert hostile.do("ask(RELEASE, 1, 41301)")[0] == 0


def test_a_reserved_port_queues_nothing(net, hostile):
    assert hostile.do("ask(RESERVE, 2, 41400)")[0] == 0
    far_send(net, build("ip4(%r, %r, 17, struct.pack('!HHHH', 53, 41400, 8, 0))" % (FAR4, NEAR4)))
    net.drain()
    held = [line.split() for line in run("ip", "netns", "exec", net.near, "cat", "/proc/net/udp6").stdout.splitlines()
            if line.split()[1].endswith(":%04X" % 41400)]
    assert [fields[4] for fields in held] == ["00000000:00000000"]
    assert hostile.do("ask(RELEASE, 2, 41400)")[0] == 0


# --- the channel ---

MALFORMED = {
    "empty but a byte": "b'x'",
    "no such request": "request(99)",
    "number zero": "request(0)",
    "one byte short": "request(RAW, 1)[:-1]",
    "one byte long": "request(RAW, 1) + b'x'",
    "a field short": "request(RAW)",
    "a field long": "request(RAW, 1, 1)",
    "family 0": "request(RAW, 0)",
    "family 3": "request(RAW, 3)",
    "other version": "request(HELLO, 2)",
    "port 65536": "request(RESERVE, 1, 65536)",
    "protocol 4": "request(RESERVE, 4, 1)",
    "listener 8": "request(LISTENER, 8)",
    "huge": "bytes(100000)",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_request_ends_the_session(quiet, what):
    with pair_of(quiet) as it:
        assert it.do("ask(HELLO, 1)")[0] == 0
        assert it.do("ask_raw(%s)" % MALFORMED[what]) == "end"
        assert "broke the rules" in it.said()


@pytest.mark.parametrize("count", [1, 2, 3, 200])
def test_stray_descriptors_end_the_session(quiet, count):
    with pair_of(quiet) as it:
        assert it.do("ask_raw(request(HELLO, 1), [3] * %d)" % count) == "end"
        assert "broke the rules" in it.said()


def test_asking_without_reading_ends_the_session(quiet):
    with pair_of(quiet) as it:
        assert it.do("try_call(lambda: [channel.send(request(ECHO, 1)) "
                     "for _ in range(100000)])", 60) in (errno.EPIPE, errno.ECONNRESET)


QUOTAS = {"HELLO, 1": (4, 0), "RAW, 1": (16, 0), "RING": (2, 0), "DEPARTURES": (2, 0), "ROUTE": (8, 0), "LISTENER, 0": (16, errno.ENOENT),
          "CLIENT": (1, errno.ENOENT), "PORT, 2, 133": (64, errno.EACCES)}


@pytest.mark.parametrize("what", QUOTAS)
def test_quota_is_an_errno(quiet, what):
    """What is refused counts too.  The one client is the stand-in's already."""
    times, answer = QUOTAS[what]
    with pair_of(quiet) as it:
        got = it.do("[ask(%s)[0] for _ in range(%d)]" % (what, times + 1))
        assert got == [answer] * times + [errno.EDQUOT]
        assert it.do("ask(ECHO, 1)")[0] == 0


def test_the_worker_inherits_its_channel_and_nothing_else(quiet):
    with open("/etc/shadow") as secret:
        with pair_of(quiet, inherit=[secret.fileno()]) as it:
            assert it.do("[os.readlink('/proc/self/fd/%d' % n) for n in (0, 1)]") == ["/dev/null"] * 2
            assert it.do("sorted(int(n) for n in os.listdir('/proc/self/fd'))") == [0, 1, 2, 3, 4, 5]
            assert it.do("[lines.fileno() if 'lines' in globals() else 4, dict(os.environ).get('PATH')]") == [4, None]


def test_descriptors_of_privd_stay_as_many(quiet):
    with pair_of(quiet) as it:
        pid = it.proc.pid
        assert it.do("ask(HELLO, 1)")[0] == 0
        before = len(os.listdir("/proc/%d/fd" % pid))
        assert it.do("all(os.close(ask(ECHO, n)[2]) is None for n in range(2000))", 60) is True
        assert it.do("[os.close(ask(RAW, 1)[2]) for n in range(16)]")
        assert it.do("ask(HELLO, 1)")[0] == 0  # served after the last answer's own copy was closed
        assert len(os.listdir("/proc/%d/fd" % pid)) == before


# --- the policy's own knobs ---

def test_rate_is_kept(quiet):
    with pair_of(quiet, HOSTILE, "--max-pps", "1000") as it:
        it.do("take('raw4', RAW, 1)")
        quiet.drain(0.01)
        start = time.monotonic()
        passed = it.do("flood('raw4', ip4(%r, %r), %r, 20000)" % (NEAR4, FAR4, FAR4), 60)
        spent = time.monotonic() - start
        assert passed <= 1051 * spent + 84 + 50
        assert passed >= 84
        assert len(quiet.drain()) == passed


def test_spoofing_where_it_is_allowed(quiet):
    with pair_of(quiet, HOSTILE, "--spoof") as it:
        it.do("take('raw4', RAW, 1)")
        quiet.drain(0.01)
        assert it.do("send('raw4', ip4('192.0.2.77', %r), %r)" % (FAR4, FAR4)) == 0
        assert len(quiet.drain()) == 1
        assert it.do("send('raw4', ip4('192.0.2.77', %r, frag=0x2000), %r)" % (FAR4, FAR4)) == errno.EPERM
        assert it.do("send('raw4', ip4('127.0.0.1', %r), %r)" % (FAR4, FAR4)) == errno.EPERM


def test_local_where_it_is_allowed(quiet):
    with pair_of(quiet, HOSTILE, "--local") as it:
        it.do("take('raw4', RAW, 1), take('ring', RING), ring_map(), ask(RESERVE, 2, 40000)")
        it.do("take('departures', DEPARTURES)")
        assert it.do("send('raw4', ip4('127.0.0.1', '127.0.0.1'), '127.0.0.1')") == 0
        time.sleep(0.1)
        kinds = [(p[0], bytes.fromhex(p[2])[9]) for p in it.do("ring_read()")]
        assert kinds == [(0, 1)]  # the port unreachable; nothing twice
        assert it.do("departures()[0]") == 1


def dnp_file(tmp_path, lines):
    path = tmp_path / "dnp"
    path.write_text("".join(line + "\n" for line in lines))
    return str(path)


def test_do_not_probe_prefixes(quiet, tmp_path):
    path = dnp_file(tmp_path, ["# who asked", "203.0.113.0/25", "203.0.113.77/26", "203.0.113.128/32 # one", "",
                               "2001:db8:dead::/48", "255.255.255.255", "0.0.0.0/8", "203.0.113.128/32"])
    with pair_of(quiet, HOSTILE, "--dnp", path) as it:
        it.do("take('raw4', RAW, 1), take('raw6', RAW, 2)")
        hits = ["203.0.113.0", "203.0.113.127", "203.0.113.128"]
        for dst in hits:
            assert it.do("send('raw4', ip4(%r, %r), %r)" % (NEAR4, dst, dst)) == errno.EPERM
            # the address of the call is another than the header's: the header counts
            assert it.do("send('raw4', ip4(%r, %r), %r)" % (NEAR4, dst, FAR4)) == errno.EPERM
        for dst in ("203.0.113.129", "203.0.112.255", "1.0.0.0"):
            assert it.do("send('raw4', ip4(%r, %r), %r)" % (NEAR4, dst, dst)) == 0
        assert it.do("send('raw6', ip6(%r, '2001:db8:dead::1'), %r)" % (NEAR6, FAR6)) == errno.EPERM
        assert it.do("send('raw6', ip6(%r, '2001:db8:deae::1'), %r)" % (NEAR6, FAR6)) == 0


@pytest.mark.parametrize("everything", ["0.0.0.0/0", "::/0"])
def test_do_not_probe_anything(quiet, tmp_path, everything):
    with pair_of(quiet, HOSTILE, "--dnp", dnp_file(tmp_path, [everything])) as it:
        it.do("take('raw4', RAW, 1), take('raw6', RAW, 2)")
        assert it.do("send('raw4', ip4(%r, %r), %r)" % (NEAR4, FAR4, FAR4)) == (errno.EPERM if "." in everything else 0)
        assert it.do("send('raw6', ip6(%r, %r), %r)" % (NEAR6, FAR6, FAR6)) == (errno.EPERM if ":" in everything else 0)


def test_hundred_thousand_prefixes(quiet, tmp_path):
    rng = random.Random(7)
    prefixes = set()
    while len(prefixes) < 100000:
        length = rng.randint(16, 32)
        prefixes.add((rng.randrange(20 << 24, 190 << 24) >> (32 - length) << (32 - length), length))
    path = dnp_file(tmp_path, ["%s/%d" % (socket.inet_ntoa(struct.pack("!I", a)), n) for a, n in prefixes])
    start = time.monotonic()
    with pair_of(quiet, HOSTILE, "--dnp", path) as it:
        it.do("take('raw4', RAW, 1)", 60)
        print("100,000 prefixes: ready after %.2f s" % (time.monotonic() - start))
        assert time.monotonic() - start < 20
        quiet.drain(0.01)
        sample = rng.sample(sorted(prefixes), 50)
        for a, n in sample:
            dst = socket.inet_ntoa(struct.pack("!I", a | rng.randrange(1 << (32 - n)) if n < 32 else a))
            assert it.do("send('raw4', ip4(%r, %r), %r)" % (NEAR4, dst, FAR4)) == errno.EPERM
        assert it.do("send('raw4', ip4(%r, '193.0.0.1'), %r)" % (NEAR4, FAR4)) == 0
        assert len(quiet.drain()) == 1


@pytest.mark.parametrize("line, where", [("300.0.0.1", ":2:1"), ("  10.0.0.0/33", ":2:3"), ("10.0.0.0/8 x", ":2:"),
                                         ("10.0.0.0/", ":2:1"), ("1" * 300, ":2:1")])
def test_bad_prefix_is_named_by_line(quiet, tmp_path, line, where):
    path = dnp_file(tmp_path, ["10.0.0.0/8", line])
    with pair_of(quiet, HOSTILE, "--dnp", path) as it:
        assert it.wait() == 78
        assert path + where in it.said()
    assert "vantage" not in quiet.table()


# --- ends ---

def test_clean_end_leaves_nothing(quiet):
    with pair_of(quiet) as it:
        it.do("ask(HELLO, 1)")
        assert "inet vantage" in quiet.table()
        it.ours.shutdown(socket.SHUT_RDWR)
        assert it.wait() == 0
    assert "vantage" not in quiet.table()


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_and_takes_the_policy_away(quiet, sig):
    with pair_of(quiet) as it:
        it.do("ask(HELLO, 1)")
        it.proc.send_signal(sig)
        it.leave()
        assert it.wait() == 0
    assert "vantage" not in quiet.table()


def test_killed_privd_fails_closed_and_the_next_start_cleans(quiet):
    with pair_of(quiet) as it:
        it.do("take('raw4', RAW, 1)")
        quiet.drain(0.01)
        it.proc.kill()
        it.wait()
        # the worker is alive and keeps on sending what it may not
        assert it.do("flood('raw4', ip4('192.0.2.77', %r), %r, 20000)" % (FAR4, FAR4), 60) == 0
        assert "inet vantage" in quiet.table()
        with pair_of(quiet) as second:  # replaces the policy under the old worker's feet
            second.do("ask(HELLO, 1)")
            assert it.do("flood('raw4', ip4('192.0.2.77', %r), %r, 2000)" % (FAR4, FAR4), 60) == 0
        assert [p for p in quiet.drain() if p[12:16] == socket.inet_aton("192.0.2.77")] == []
    assert "vantage" not in quiet.table()


def test_a_worker_that_does_not_end_keeps_its_policy(quiet):
    with pair_of(quiet) as it:
        it.do("take('raw4', RAW, 1)")
        it.proc.send_signal(signal.SIGTERM)
        assert it.wait() == 0
        assert "the packet policy stays" in it.said()
        assert it.do("send('raw4', ip4('192.0.2.77', %r), %r)" % (FAR4, FAR4)) == errno.EPERM
    with pair_of(quiet) as after:
        after.do("ask(HELLO, 1)")
    assert "vantage" not in quiet.table()


def test_a_firewall_that_takes_our_mark_away_is_found_out(quiet):
    """The rules are there and judge nothing: only a try tells."""
    table = "add table inet early; add chain inet early out { type filter hook output priority -400; }; " \
            "add rule inet early out meta mark set 0"
    run("ip", "netns", "exec", quiet.near, "nft", table)
    try:
        with pair_of(quiet) as it:
            assert it.wait() == 78
            assert "self-test: the kernel sent a packet that the policy forbids" in it.said()
        assert "vantage" not in quiet.table()
    finally:
        run("ip", "netns", "exec", quiet.near, "nft", "delete table inet early")


def test_a_second_privd_is_told_who_is_first(net, hostile):
    with pair_of(net) as second:
        assert second.wait() == 78
        assert "another vantage-privd runs on this network (pid %d)" % hostile.proc.pid in second.said()
    assert hostile.do("ask(HELLO, 1)")[0] == 0


def test_a_stranger_cannot_keep_privd_from_starting(quiet):
    with inside(quiet.near), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as squatter:
        os.seteuid(65534)
        try:
            squatter.bind("\0vantage-privd")
            squatter.listen(1)
        finally:
            os.seteuid(0)
        with pair_of(quiet) as it:
            assert it.do("ask(HELLO, 1)")[0] == 0
            assert "taken by another program" in it.said()


def test_a_flushed_ruleset_opens_nothing(quiet):
    """With an owner (Linux 6.9) the kernel spares our tables; without, privd and
    its worker end at once."""
    with pair_of(quiet) as it:
        it.do("take('raw4', RAW, 1)")
        run("ip", "netns", "exec", quiet.near, "nft", "flush", "ruleset", check=False)
        if "inet vantage" in quiet.table():
            assert it.do("send('raw4', ip4('192.0.2.77', %r), %r)" % (FAR4, FAR4)) == errno.EPERM
        else:
            it.leave()
            assert it.wait() == 70
            assert "another program changed the table" in it.said()


# --- started by a service manager ---

PEER = """
import socket, struct, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
for line in sys.stdin:
    words = eval(line)
    if words == ():
        print(subprocess.Popen(["sleep", "60"], stdout=2, pass_fds=[s.fileno()]).pid, flush=True)
        continue
    try:
        s.send(struct.pack("!%dI" % len(words), *words))
        data = s.recv(100)
    except OSError as e:
        data = b""
    print(list(struct.unpack("!%dI" % (len(data) // 4), data)) if data else "end", flush=True)
"""
HELLO, RESERVE = 1, 8


class Peer:
    """Somebody who connects to privd's socket, as a user."""

    def __init__(self, path, user):
        self.proc = subprocess.Popen(["/usr/bin/python3", "-c", PEER, path], user=user, group="vantage", extra_groups=[],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        """The answer; without a word: the process to which the channel was lent."""
        self.proc.stdin.write("%r\n" % (words,))
        self.proc.stdin.flush()
        line = self.proc.stdout.readline().strip()
        return line if line == "end" else eval(line)

    def close(self):
        self.proc.stdin.close()
        self.proc.wait(10)
        self.proc.stdout.close()


@pytest.fixture
def activated(quiet, tmp_path):
    with activated_privd(quiet, tmp_path) as it:
        yield it


def test_one_worker_after_the_other_and_nobody_else(activated):
    proc, path, said = activated
    stranger = Peer(path, "nobody")
    assert stranger.ask(HELLO, 1) == "end"
    stranger.close()
    first = Peer(path, "vantage")
    assert first.ask(HELLO, 1)[:2] == [HELLO, 0]
    assert first.ask(RESERVE, 2, 41500) == [RESERVE, 0]
    second = Peer(path, "vantage")
    assert second.ask(HELLO, 1) == "end"
    second.close()
    assert first.ask(HELLO, 1)[1] == 0
    with_holds = len(os.listdir("/proc/%d/fd" % proc.pid))
    first.close()
    third = Peer(path, "vantage")
    assert third.ask(HELLO, 1)[:2] == [HELLO, 0]
    assert len(os.listdir("/proc/%d/fd" % proc.pid)) == with_holds - 1  # the hold went with its worker
    assert third.ask(RESERVE, 2, 41500) == [RESERVE, 0]
    assert third.ask(99) == "end"
    third.close()
    fourth = Peer(path, "vantage")
    assert fourth.ask(HELLO, 1)[1] == 0
    fourth.close()
    assert "refused a peer of uid" in said() and "refused a second worker" in said()


def test_each_worker_has_its_own_quota(activated):
    for _ in range(2):
        peer = Peer(activated[1], "vantage")
        assert [peer.ask(HELLO, 1)[1] for _ in range(5)] == [0, 0, 0, 0, errno.EDQUOT]
        peer.close()


def test_a_dead_workers_channel_in_other_hands_is_closed(activated):
    first = Peer(activated[1], "vantage")
    assert first.ask(RESERVE, 2, 41500) == [RESERVE, 0]
    holder = first.ask()
    first.close()
    try:
        second = Peer(activated[1], "vantage")
        assert second.ask(RESERVE, 2, 41500) == [RESERVE, 0]
        second.close()
    finally:
        os.kill(holder, signal.SIGKILL)


def test_a_worker_of_a_unit_that_does_not_end_keeps_its_policy(quiet, activated):
    """privd goes, by itself; as long as the worker lives the tables stay."""
    proc, path, said = activated
    peer = Peer(path, "vantage")
    assert peer.ask(HELLO, 1)[1] == 0
    proc.terminate()
    assert proc.wait(10) == 0
    assert "the packet policy stays" in said() and "inet vantage" in quiet.table()
    peer.close()
    with pair_of(quiet) as it:
        it.do("ask(HELLO, 1)")


def test_activated_privd_keeps_two_capabilities_of_three(activated):
    proc, path, _ = activated
    peer = Peer(path, "vantage")
    assert peer.ask(HELLO, 1)[1] == 0
    status = status_of(proc.pid)
    assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == (1 << 12 | 1 << 13)
    assert int(status["CapAmb"], 16) == int(status["CapInh"], 16) == 0
    assert status["Seccomp"] == "2" and "0" not in status["Uid"].split()
    assert os.stat("/proc/%d/status" % proc.pid).st_uid == 0   # not dumpable
    assert nothing_more(proc.pid)
    peer.close()


def test_without_root_and_manager_it_says_what_to_do(tmp_path):
    # A copy: the build may lie where nobody else may go.
    own = shutil.copy(PRIVD, tmp_path)
    done = subprocess.run([own, "--foreground"], user="nobody", group="nogroup", capture_output=True, text=True)
    assert done.returncode == 77
    assert "as root, or by systemd" in done.stderr


@pytest.mark.parametrize("words", [["--no-such"], ["extra"], ["--client-fd", "99"], ["--client-fd", "x"], ["-c"]])
def test_bad_usage_is_64(quiet, words):
    with inside(quiet.near):
        assert subprocess.run([PRIVD, "-f", *words], capture_output=True, timeout=20).returncode == 64


@pytest.mark.parametrize("line, where", [("max-pps 0", ":1:9"), ("nonsense 1", ":1:1"), ("port udp/99999", ":1:6"),
                                         ("user no-such-user", "no user 'no-such-user'")])
def test_bad_configuration_is_78(quiet, tmp_path, line, where):
    path = tmp_path / "conf"
    path.write_text(line + "\n")
    with inside(quiet.near):
        done = subprocess.run([PRIVD, "-f", "-c", str(path)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 78 and where in done.stderr


def test_configured_port_is_handed_over_and_ruled(quiet, tmp_path):
    conf = tmp_path / "conf"
    conf.write_text("port udp/133\nport tcp/133\n")
    with pair_of(quiet, HOSTILE, "-c", str(conf)) as it:
        assert it.do("take('udp', PORT, 2, 133), take('tcp', PORT, 1, 133)") == [0, 0]
        assert it.do("ask(PORT, 2, 134)")[0] == errno.EACCES
        with inside(quiet.far), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(3)
            s.sendto(b"help\0", (NEAR4, 133))
            assert it.do("(lambda got: fds['udp'].sendto(got[0].upper(), got[1]))"
                         "((select.select([fds['udp']], [], [], 3), fds['udp'].recvfrom(100))[1])") == 5
            assert s.recv(100) == b"HELP\0"
        assert it.do("try_call(lambda: fds['udp'].sendto(b'x', ('::ffff:127.0.0.1', 9)))") == errno.EPERM


def test_detached_start_returns_when_it_is_ready(quiet, tmp_path):
    sock = str(tmp_path / "run" / "c.sock")
    worker = tmp_path / "worker.py"
    worker.write_text("#!/usr/bin/python3\nimport socket\nsocket.socket(fileno=3).recv(1)\n")
    worker.chmod(0o755)
    done = subprocess.run(["ip", "netns", "exec", quiet.near, PRIVD, "--workerd", str(worker), "-U", sock], timeout=20,
                          stderr=subprocess.DEVNULL)
    assert done.returncode == 0
    assert "inet vantage" in quiet.table() and os.path.exists(sock)
    pids = [int(p) for p in os.listdir("/proc") if p.isdigit() and is_privd_with(p, sock)]
    assert len(pids) == 1
    os.kill(pids[0], signal.SIGTERM)
    deadline = time.monotonic() + 10
    while "vantage" in quiet.table() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "vantage" not in quiet.table() and not os.path.exists(sock)


def is_privd_with(pid, word):
    try:
        words = pathlib.Path("/proc/%s/cmdline" % pid).read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    return words[0] == PRIVD and word in words


# --- inside the real sandbox ---

DIES = ["socket", "exec", "fork", "bind", "connect", "setsockopt", "dup", "prctl", "kill", "ptrace", "mmap", "mprotect",
        "bpf", "userns", "memfd", "ioctl", "getsockopt", "fcntl", "pidfd", "open", "uring"]


@pytest.mark.parametrize("what", DIES)
def test_forbidden_call_is_death(quiet, what):
    with pair_of(quiet, INSIDE) as it:
        with pytest.raises(EOFError):
            it.do(what)
        assert it.wait() == 70
        assert "forbidden system call" in it.said()
    assert "vantage" not in quiet.table()


@pytest.mark.parametrize("what, answer", [("openat2", -1), ("openup", -1), ("none", 0)])
def test_a_file_that_is_not_there_is_survived(quiet, what, answer):
    with pair_of(quiet, INSIDE) as it:
        assert it.do(what) == answer
        assert it.do("none") == 0


def status_of(pid):
    lines = pathlib.Path("/proc/%d/status" % pid).read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def nothing_more(pid):
    """Neither a core nor a new process."""
    limits = pathlib.Path("/proc/%s/limits" % pid).read_text()
    return all(re.search(r"^Max %s +0 +0 " % what, limits, re.M) for what in ("core file size", "processes"))


def test_what_both_processes_have_left(quiet):
    with pair_of(quiet, INSIDE) as it:
        assert it.do("none") == 0
        privd = status_of(it.proc.pid)
        children = pathlib.Path("/proc/%d/task/%d/children" % (it.proc.pid, it.proc.pid)).read_text().split()
        worker = status_of(int(children[0]))
        for key in ("CapPrm", "CapEff", "CapBnd"):
            assert int(privd[key], 16) == (1 << 13 | 1 << 12)
            assert int(worker[key], 16) == 0
        for it_ in (privd, worker):
            assert int(it_["CapInh"], 16) == 0 and int(it_["CapAmb"], 16) == 0
            assert it_["NoNewPrivs"] == "1" and it_["Seccomp"] == "2" and it_["Groups"].split() == []
            assert "0" not in it_["Uid"].split()
        assert privd["Uid"] != worker["Uid"]
        assert nothing_more(it.proc.pid) and nothing_more(children[0])
        root = "/proc/%s/root" % children[0]
        assert os.listdir(root) == []
        assert os.readlink("/proc/%s/ns/net" % children[0]) != os.readlink("/proc/%d/ns/net" % it.proc.pid)
