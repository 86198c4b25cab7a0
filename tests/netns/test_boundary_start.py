"""What privd refuses before it serves anybody: a start that is half right."""
import os
import signal
import socket
import subprocess

import pytest

from boundary import PRIVD, failing, inside, pair_of, quiet, run  # noqa: F401 (fixtures)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: sudo ./start test")


def test_worker_and_helper_must_not_share_a_user(quiet, tmp_path):
    conf = tmp_path / "conf"
    conf.write_text("user vantage\nprivd-user vantage\n")
    with pair_of(quiet, "/bin/true", "-c", str(conf)) as it:
        assert it.wait() == 78
        assert "must not share a user" in it.said()
    assert "vantage" not in quiet.table()


def test_more_control_sockets_than_there_is_room_for(quiet, tmp_path):
    doors = [word for i in range(8) for word in ("-U", str(tmp_path / str(i)))] + ["-P", "127.0.0.1:7000"]
    with pair_of(quiet, "/bin/true", *doors) as it:
        assert it.wait() == 73
        assert "at most 8 sockets" in it.said()
    assert os.listdir(tmp_path) == [] and "vantage" not in quiet.table()


def test_a_worker_that_is_not_there(quiet):
    with pair_of(quiet, "/nonexistent/vantage-workerd") as it:
        assert it.wait() == 73
        assert "/nonexistent/vantage-workerd" in it.said()
    assert "vantage" not in quiet.table()


KINDS = {
    "datagrams": ([socket.SOCK_DGRAM], "descriptor 3 is of no use"),
    "a stream alone": ([socket.SOCK_STREAM], "no ListenSequentialPacket="),
    "two for workers": ([socket.SOCK_SEQPACKET] * 2, "descriptor 4 is of no use"),
    "no socket": ([None], "descriptor 3: "),
    "nine streams": ([socket.SOCK_SEQPACKET] + [socket.SOCK_STREAM] * 9, "LISTEN_FDS"),
}


@pytest.mark.parametrize("what", KINDS)
def test_sockets_of_the_wrong_kind_are_refused(quiet, what):
    kinds, told = KINDS[what]
    made = [open("/dev/null") if kind is None else socket.socket(socket.AF_UNIX, kind) for kind in kinds]
    # From above, so that no descriptor is overwritten before it was moved.
    spare = [os.dup2(one.fileno(), 100 + i) for i, one in enumerate(made)]
    moves = " ".join("%d<&%d" % (3 + i, fd) for i, fd in enumerate(spare))
    script = "LISTEN_FDS=%d LISTEN_PID=$$ exec \"$0\" %s" % (len(made), moves)
    with inside(quiet.near):
        done = subprocess.run(["bash", "-c", script, PRIVD], pass_fds=spare, capture_output=True, text=True, timeout=20)
    for one in made:
        one.close()
    for fd in spare:
        os.close(fd)
    assert done.returncode == 78 and told in done.stderr, done
    assert "vantage" not in quiet.table()


# --- what the kernel says counts, not what a call returned ---

@pytest.fixture(scope="module")
def prctls(quiet, tmp_path_factory):
    """privd's prctl calls, to know the number of one."""
    path = str(tmp_path_factory.mktemp("strace") / "out")
    with pair_of(quiet, before=["strace", "-D", "-q", "-e", "signal=none", "-o", path, "-e", "trace=prctl"]) as it:
        it.do("ask(HELLO, 1)")
        with open(path) as lines:
            return lines.read().splitlines()


def refuses_to_start(quiet, call, how):
    """privd ends; the worker that it has started already does so by itself."""
    with pair_of(quiet, before=failing(call, how)) as it:
        it.leave()
        assert it.wait() == 78
        return it.said()


@pytest.mark.parametrize("call, how, told", [
    ("setresuid", "retval=0", "user or group is still another"),
    ("setresgid", "retval=0", "user or group is still another"),
    ("capset", "retval=0:when=2", "capabilities are not exactly"),
    ("capset", "error=EPERM:when=2", "cannot give privileges up"),
])
def test_a_privilege_that_stayed_is_found(quiet, call, how, told):
    assert told in refuses_to_start(quiet, call, how)


@pytest.mark.parametrize("what", ["PR_CAPBSET_DROP, CAP_CHOWN", "PR_SET_NO_NEW_PRIVS, 1"])
def test_a_prctl_that_lied_is_found(quiet, prctls, what):
    number = 1 + next(i for i, line in enumerate(prctls) if what in line)
    assert "capabilities are not exactly" in refuses_to_start(quiet, "prctl", "retval=0:when=%d" % number)


def test_after_a_failed_start_the_next_one_works(quiet):
    refuses_to_start(quiet, "setresuid", "retval=0")
    with pair_of(quiet) as it:
        assert it.do("ask(HELLO, 1)")[0] == 0
        it.proc.send_signal(signal.SIGTERM)
        it.leave()
        assert it.wait() == 0
    assert "vantage" not in quiet.table()
