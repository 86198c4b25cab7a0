"""Starts and ends that somebody disturbs: strangers who wait in queues, names and
limits that are not as usual, a worker that outlives its session."""
import errno
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from boundary import FAR4, HOSTILE, activated_privd, failing, inside, pair_of, quiet, run    # noqa: F401
from test_boundary_life import HELLO, RESERVE, Peer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: sudo ./start test")
STRANGER = 65534


def test_each_second_privd_is_told_however_many_came_before(quiet):
    with pair_of(quiet) as it:
        assert it.do("ask(HELLO, 1)")[0] == 0
        for _ in range(5):
            with pair_of(quiet) as second:
                assert second.wait(5) == 78
                assert "runs on this network (pid %d)" % it.proc.pid in second.said()


def test_strangers_who_ask_who_runs_take_nothing(quiet):
    """Neither descriptors nor the worker's turn."""
    with pair_of(quiet) as it:
        assert it.do("ask(HELLO, 1)")[0] == 0
        before = len(os.listdir("/proc/%d/fd" % it.proc.pid))
        with inside(quiet.near):
            for _ in range(500):
                with socket.socket(socket.AF_UNIX) as asking:
                    asking.settimeout(5)
                    asking.connect("\0vantage-privd")
                    assert asking.recv(1) == b""
        assert it.do("ask(ECHO, 1)")[0] == 0
        assert len(os.listdir("/proc/%d/fd" % it.proc.pid)) == before


def test_a_stranger_who_never_accepts_is_not_waited_for(quiet):
    with inside(quiet.near):
        os.seteuid(STRANGER)
        try:
            squatter, first = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
            squatter.bind("\0vantage-privd")
            squatter.listen(0)
            first.connect("\0vantage-privd")
        finally:
            os.seteuid(0)
        with squatter, first, pair_of(quiet) as it:
            assert it.do("ask(HELLO, 1)", 10)[0] == 0
            assert "taken by another program" in it.said()


def test_low_ports_are_the_hosts_own_whatever_the_kernel_allows(quiet):
    with inside(quiet.near):
        first = pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        usual = first.read_text()
        first.write_text("0")
    try:
        with pair_of(quiet) as it:
            for proto in (1, 2):
                assert it.do("[ask(RESERVE, %d, p)[0] for p in (1, 22, 1023, 1024)]" % proto) == [errno.EACCES] * 3 + [0]
            assert it.do("ask(RESERVE, 3, 22)")[0] == 0     # an ICMP identifier
    finally:
        with inside(quiet.near):
            first.write_text(usual)


def test_a_shells_limit_of_descriptors_is_not_the_limit_of_ports(quiet):
    with pair_of(quiet, before=["prlimit", "--nofile=64:8192"]) as it:
        assert it.do("[ask(RESERVE, 2, 42000 + n)[0] for n in range(500)].count(0)", 60) == 500


def test_a_worker_without_a_session_is_the_only_one_until_it_ends(quiet, tmp_path):
    """Its sockets live as long as it does, and so must the policy."""
    with activated_privd(quiet, tmp_path) as (_, path, said):
        first = Peer(path, "vantage")
        assert first.ask(RESERVE, 2, 41500) == [RESERVE, 0]
        assert first.ask(99) == "end"
        second = Peer(path, "vantage")
        assert second.ask(HELLO, 1) == "end"
        second.close()
        assert "refused a second worker" in said()
        first.close()
        third = Peer(path, "vantage")
        assert third.ask(RESERVE, 2, 41500) == [RESERVE, 0]
        third.close()


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_before_it_has_begun_it_leaves_nothing(quiet, sig):
    """The policy is there, the loop is not: strace makes the moment long."""
    with pair_of(quiet, before=failing("bpf", "delay_enter=500000")) as it:
        deadline = time.monotonic() + 20
        while "inet vantage" not in quiet.table():
            assert time.monotonic() < deadline and it.proc.poll() is None, it.said()
        it.proc.send_signal(sig)
        it.leave()
        assert it.wait() == 0
    assert "vantage" not in quiet.table()


@pytest.mark.parametrize("call, name", [("bind", "theirs/c.sock"), ("mkdir", "theirs/new")])
def test_the_owner_of_a_directory_leads_nobody_to_another_file(quiet, tmp_path, call, name):
    """Root makes a control socket in a user's directory; the user swaps what was
    made for a link at the worst moment, which strace makes long."""
    secret, made = tmp_path / "secret", tmp_path / name
    secret.write_text("")
    secret.chmod(0o600)
    made.parent.mkdir()
    os.chown(made.parent, STRANGER, STRANGER)
    sock = made if call == "bind" else made / "c.sock"
    with pair_of(quiet, HOSTILE, "--socket", str(sock), client=False,
                 before=failing(call, "delay_exit=400000")) as it:
        deadline = time.monotonic() + 20
        while not made.exists():
            assert time.monotonic() < deadline and it.proc.poll() is None, it.said()
            time.sleep(0.01)
        made.rename(made.parent / "away")
        made.symlink_to(secret)
        time.sleep(1.5)     # past what would follow
        assert (secret.stat().st_mode & 0o777, secret.stat().st_uid) == (0o600, 0)
        it.proc.terminate()


# --- interfaces that come and go ---

def egress_chains(net):
    listed = run("ip", "netns", "exec", net.near, "nft", "list", "table", "netdev", "vantage").stdout
    return listed.count("chain egress-")


def eventually(good, seconds=10):
    deadline = time.monotonic() + seconds
    while not good() and time.monotonic() < deadline:
        time.sleep(0.05)
    return good()


def test_interfaces_that_go_take_their_chain_along(quiet):
    """A host of containers makes and removes them all day."""
    with pair_of(quiet) as it:
        assert it.do("ask(HELLO, 1)")[0] == 0
        assert egress_chains(quiet) == 2
        run("ip", "-n", quiet.near, "link", "add", "vbstay", "type", "veth", "peer", "name", "vbpeer")
        for i in range(30):
            run("ip", "-n", quiet.near, "link", "add", "vbn%d" % i, "type", "veth", "peer", "name", "vbp%d" % i)
            run("ip", "-n", quiet.near, "link", "del", "vbn%d" % i)
        assert eventually(lambda: egress_chains(quiet) == 4)
        run("ip", "-n", quiet.near, "link", "del", "vbstay")
        assert eventually(lambda: egress_chains(quiet) == 2)


def test_a_port_that_leaves_its_bridge_is_covered_all_the_time(quiet):
    with pair_of(quiet) as it:
        it.do("take('ring', RING)")
        for words in ("add vbbr type bridge", "add vbnew type veth peer name vbpeer", "set vbpeer up", "set vbnew up"):
            run("ip", "-n", quiet.near, "link", *words.split())
        with subprocess.Popen(["ip", "netns", "exec", quiet.near, "nft", "monitor", "chains"], text=True,
                              stdout=subprocess.PIPE) as monitor:
            try:
                assert eventually(lambda: egress_chains(quiet) == 5)
                for words in ("set vbnew master vbbr", "set vbnew nomaster"):
                    run("ip", "-n", quiet.near, "link", *words.split())
                time.sleep(0.5)
                assert it.do("frame('ring', 'vbnew', bytes(60))") == errno.ENOBUFS
            finally:
                monitor.terminate()
                run("ip", "-n", quiet.near, "link", "del", "vbnew")
                run("ip", "-n", quiet.near, "link", "del", "vbbr")
            assert "delete chain" not in monitor.stdout.read()


# --- kernels that lack something, which strace pretends ---

LACKS = {
    "bpf": (("bpf", "error=EPERM:when=1"), "needs CAP_BPF"),
    "port map": (("bpf", "error=ENOMEM:when=1"), "port map"),
    "nftables": (("sendto", "error=EOPNOTSUPP"), "cannot install the packet policy"),
    "netfilter netlink": (("socket", "error=EPROTONOSUPPORT:when=1..9"), ""),
}


@pytest.mark.parametrize("what", LACKS)
def test_without_what_the_policy_needs_there_is_no_start(quiet, what):
    inject, told = LACKS[what]
    with pair_of(quiet, before=failing(*inject)) as it:
        assert it.wait() == 78
        assert told in it.said()
    assert "vantage" not in quiet.table()


def test_without_egress_hooks_it_says_what_rests_on_what(quiet):
    with pair_of(quiet, before=failing("sendto", "error=EOPNOTSUPP:when=2")) as it:
        assert it.do("ask(HELLO, 1)[1][0] & 8") == 0    # what the worker is told
        assert "no netdev egress hook on this kernel" in it.said()
        run("ip", "-n", quiet.near, "link", "add", "vbnew", "type", "veth", "peer", "name", "vbpeer")
        run("ip", "-n", quiet.near, "link", "del", "vbnew")
        it.do("take('raw4', RAW, 1)")
        assert it.do("send('raw4', ip4('192.0.2.77', %r), %r)" % (FAR4, FAR4)) == errno.EPERM
        assert "netdev vantage" not in quiet.table()
    assert "vantage" not in quiet.table()


def test_a_thousand_ports_go_with_their_worker(quiet, tmp_path):
    with activated_privd(quiet, tmp_path) as (proc, path, _):
        for _ in range(2):
            worker = Peer(path, "vantage")
            assert worker.ask(HELLO, 1)[1] == 0
            before = len(os.listdir("/proc/%d/fd" % proc.pid))
            assert all(worker.ask(RESERVE, 2, 42000 + n) == [RESERVE, 0] for n in range(1000))
            assert len(os.listdir("/proc/%d/fd" % proc.pid)) == before + 1000
            worker.proc.kill()
            worker.proc.wait()
