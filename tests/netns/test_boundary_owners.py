"""The packet policy where tables have no owner, as before Linux 6.9: it holds the
same, and what another program does to it opens it for a moment only."""
import errno
import os
import socket
import threading

import pytest

from boundary import FAR4, NEAR4, failing, pair_of, quiet, run  # noqa: F401 (fixtures)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: sudo ./start test")


@pytest.fixture
def no_owners(quiet):
    """privd on a kernel before Linux 6.9: the first transaction, which asks for
    an owner and persistence, is refused as such a kernel would."""
    with pair_of(quiet, before=failing("sendto", "error=EOPNOTSUPP:when=1")) as it:
        assert it.do("take('raw4', RAW, 1)") == 0
        shown = run("ip", "netns", "exec", quiet.near, "nft", "list", "ruleset").stdout
        assert "flags owner" not in shown and shown.count("table ") == 2
        yield it


def test_without_owners_the_policy_is_the_same(quiet, no_owners):
    quiet.drain(0.01)
    assert no_owners.do("send('raw4', ip4('192.0.2.77', %r), %r)" % (FAR4, FAR4)) == errno.EPERM
    assert no_owners.do("take('ring', RING)") == 0
    assert no_owners.do("frame('ring', %r, bytes(60))" % quiet.dev) == errno.ENOBUFS
    assert quiet.drain() == []


def test_without_owners_a_killed_privd_fails_closed(quiet, no_owners):
    no_owners.proc.kill()
    no_owners.wait()
    quiet.drain(0.01)
    assert no_owners.do("flood('raw4', ip4('192.0.2.77', %r), %r, 20000)" % (FAR4, FAR4), 60) == 0
    assert [p for p in quiet.drain() if p[12:16] == socket.inet_aton("192.0.2.77")] == []
    with pair_of(quiet) as after:   # the next start takes the table over, with an owner
        after.do("ask(HELLO, 1)")
        assert no_owners.do("flood('raw4', ip4('192.0.2.77', %r), %r, 2000)" % (FAR4, FAR4), 60) == 0
    assert "vantage" not in quiet.table()


@pytest.mark.parametrize("what", ["flush ruleset", "delete table inet vantage", "flush table inet vantage",
                                  "delete table netdev vantage", "add chain inet vantage more"])
def test_without_owners_a_change_by_another_ends_the_session(quiet, no_owners, what):
    run("ip", "netns", "exec", quiet.near, "nft", what)
    assert no_owners.do("channel.recv(1) == b''", 5) is True
    no_owners.leave()
    assert no_owners.wait() == 70
    assert "another program changed the table" in no_owners.said()
    assert "vantage" not in quiet.table()


@pytest.mark.parametrize("what", ["flush ruleset", "flush table inet vantage", "flush chain inet vantage vx"])
def test_without_owners_a_captured_worker_gains_a_moment(quiet, no_owners, what):
    """It does not end with its session; privd shuts what the other opened.  How
    soon depends on who else wants the processor, so it is told, not judged."""
    change = threading.Timer(0.2, run, ("ip", "netns", "exec", quiet.near, "nft", what))
    change.start()
    escaped = no_owners.do("flood('raw4', ip4('192.0.2.77', %r), %r, 200000)" % (FAR4, FAR4), 60)
    change.join()
    print("after '%s' %d spoofed packets escaped" % (what, escaped))
    assert no_owners.do("flood('raw4', ip4('192.0.2.77', %r), %r, 2000)" % (FAR4, FAR4), 60) == 0
    assert no_owners.do("send('raw4', ip4(%r, %r), %r)" % (NEAR4, FAR4, FAR4)) == errno.EPERM
    no_owners.leave()
    assert no_owners.wait() == 70
    with pair_of(quiet) as after:   # takes what privd left if it went before its worker did
        after.do("ask(HELLO, 1)")
    assert "vantage" not in quiet.table()


def test_without_owners_other_tables_are_others_affair(quiet, no_owners):
    run("ip", "netns", "exec", quiet.near, "nft", "add table inet other; delete table inet other")
    assert no_owners.do("ask(HELLO, 1)")[0] == 0
