"""The packet policy follows this host's addresses: what is new may be sent from
at once, what is gone may not.  A hostile worker does the sending, so that
nothing but the policy refuses."""
import errno
import json
import os
import pathlib
import subprocess
import time

import pytest

from boundary import (FAR4, FAR6, HOSTILE, NEAR4, hostile, inside, net, pair_of,  # noqa: F401 (fixtures)
                      quiet, run)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: sudo ./start test")

AT_ONCE_S = 0.05
NEW = {4: "198.51.100.77", 6: "2001:db8:5::77"}
FENCE = "198.51.100.78"
FAR = {4: FAR4, 6: FAR6}
LEN = {4: "/24", 6: "/64"}
OWN_MAX = 1024


@pytest.fixture(params=[4, 6], ids=["ip4", "ip6"])
def af(request):
    return request.param


def address(net, what, addr, dev=None, *more):
    run("ip", "-n", net.near, "addr", what, addr, "dev", dev or net.dev, *more)


def send_from(it, src, dst=None):
    """0, or the errno of the refusal."""
    v = 6 if ":" in src else 4
    return it.do("send('raw%d', ip%d(%r, %r), %r)" % (v, v, src, dst or FAR[v], FAR[v]))


def within(seconds, it, src, want):
    """Whether the answer for this source becomes the wanted one in time."""
    deadline = time.monotonic() + seconds
    while send_from(it, src) != want:
        if time.monotonic() > deadline:
            return False
    return True


def settle(net, it):
    """Returns when privd has handled every address event so far: events come
    in order, and this is one more."""
    address(net, "add", FENCE + "/24")
    assert within(5, it, FENCE, 0)
    address(net, "del", FENCE + "/24")
    assert within(5, it, FENCE, errno.EPERM)


def set_of(net, name):
    text = run("ip", "netns", "exec", net.near, "nft", "-j", "list", "set", "inet", "vantage", name).stdout
    return [s["set"] for s in json.loads(text)["nftables"] if "set" in s][0].get("elem", [])


def test_address_may_send_at_once_and_no_longer(net, hostile, af):
    net.drain(0.01)
    assert send_from(hostile, NEW[af]) == errno.EPERM
    address(net, "add", NEW[af] + LEN[af], None, *(["nodad"] if af == 6 else []))
    assert within(AT_ONCE_S, hostile, NEW[af], 0)
    assert len(net.drain()) == 1
    address(net, "del", NEW[af] + LEN[af])
    assert within(AT_ONCE_S, hostile, NEW[af], errno.EPERM)
    net.drain()
    assert send_from(hostile, NEW[af]) == errno.EPERM
    assert net.drain() == []


def test_address_on_two_interfaces_outlives_the_loss_of_one(net, hostile, af):
    full = {4: "/32", 6: "/128"}[af]
    run("ip", "-n", net.near, "link", "add", "vbdum", "type", "veth", "peer", "name", "vbdup")
    run("ip", "-n", net.near, "link", "set", "vbdum", "up")
    for dev in (net.dev, "vbdum"):
        address(net, "add", NEW[af] + full, dev, *(["nodad"] if af == 6 else []))
    assert within(AT_ONCE_S, hostile, NEW[af], 0)
    address(net, "del", NEW[af] + full)
    settle(net, hostile)
    assert send_from(hostile, NEW[af]) == 0
    run("ip", "-n", net.near, "link", "del", "vbdum")
    assert within(AT_ONCE_S, hostile, NEW[af], errno.EPERM)


def test_tentative_address_is_not_ours_yet(net, hostile):
    with inside(net.near):
        for conf in ("all", net.dev):
            pathlib.Path("/proc/sys/net/ipv6/conf/%s/accept_dad" % conf).write_text("1")
    address(net, "add", NEW[6] + "/64")
    settle(net, hostile)
    assert "tentative" in run("ip", "-n", net.near, "addr", "show", "dev", net.dev).stdout
    assert send_from(hostile, NEW[6]) == errno.EPERM
    assert within(5, hostile, NEW[6], 0)
    address(net, "del", NEW[6] + "/64")
    with inside(net.near):
        for conf in ("all", net.dev):
            pathlib.Path("/proc/sys/net/ipv6/conf/%s/accept_dad" % conf).write_text("0")


@pytest.mark.parametrize("dst", ["198.51.100.0", "198.51.100.255", "127.255.255.255", "0.0.0.0", "255.255.255.255"])
def test_broadcast_is_refused(net, hostile, dst):
    net.drain(0.01)
    assert send_from(hostile, NEAR4, dst) == errno.EPERM
    assert net.drain() == []


@pytest.mark.parametrize("addr, cast", [("203.0.113.129/28", {"203.0.113.128", "203.0.113.143"}),
                                        ("203.0.113.129/27", {"203.0.113.128", "203.0.113.159"}),
                                        ("203.0.113.129/9", {"203.0.0.0", "203.127.255.255"}),
                                        ("203.0.113.129/31", set()), ("203.0.113.129/32", set())])
def test_broadcast_of_a_new_network_is_refused_while_it_is_one(net, hostile, addr, cast):
    before = set(set_of(net, "cast4"))
    assert all(send_from(hostile, NEAR4, dst) == 0 for dst in cast)
    address(net, "add", addr)
    settle(net, hostile)
    assert set(set_of(net, "cast4")) - before == cast
    assert all(send_from(hostile, NEAR4, dst) == errno.EPERM for dst in cast)
    address(net, "del", addr)
    settle(net, hostile)
    assert set(set_of(net, "cast4")) == before
    net.drain(0.01)


def test_broadcast_by_decree_and_the_far_ends_network(net, hostile):
    before = set(set_of(net, "cast4"))
    address(net, "add", "203.0.113.1/32", None, "broadcast", "203.0.113.99")
    address(net, "add", "203.0.113.2", None, "peer", "203.0.113.66/26")
    settle(net, hostile)
    assert set(set_of(net, "cast4")) - before == {"203.0.113.99", "203.0.113.64", "203.0.113.127"}
    assert {"203.0.113.1", "203.0.113.2"} <= set(set_of(net, "own4"))
    assert "203.0.113.66" not in set_of(net, "own4")
    address(net, "del", "203.0.113.1/32")
    address(net, "del", "203.0.113.2", None, "peer", "203.0.113.66/26")
    settle(net, hostile)


def test_loopback_is_in_no_set(net, hostile):
    settle(net, hostile)
    assert not [a for a in set_of(net, "own4") if a.startswith("127.")]
    assert "::1" not in set_of(net, "own6")


def take_raw(it):
    assert it.do("take('raw4', RAW, 1), take('raw6', RAW, 2)") == [0, 0]


def raw(it, src, dst):
    v = 6 if ":" in src else 4
    return it.do("send('raw%d', ip%d(%r, %r), %r)" % (v, v, src, dst, dst))


@pytest.mark.parametrize("src, dst, want", [
    ("127.0.0.1", "127.0.0.1", 0), ("127.0.0.2", "127.0.0.1", 0), ("::1", "::1", 0), (NEAR4, NEAR4, 0),
    ("127.0.0.1", FAR4, errno.EPERM), ("::1", FAR6, errno.EPERM), ("::2", "::1", errno.EPERM),
    ("127.255.255.255", "127.0.0.1", errno.EPERM), ("192.0.2.7", "127.0.0.1", errno.EPERM)])
def test_loopback_where_it_is_allowed(quiet, src, dst, want):
    with pair_of(quiet, HOSTILE, "--local") as it:
        take_raw(it)
        quiet.drain(0.01)
        assert raw(it, src, dst) in ((want,) if want == 0 else (errno.EPERM, errno.EINVAL))
        assert quiet.drain() == []


@pytest.mark.parametrize("src, dst, want", [
    ("192.0.2.7", FAR4, 0), ("2001:db8:99::1", FAR6, 0), (NEAR4, FAR4, 0),
    ("127.0.0.1", FAR4, errno.EPERM), ("::1", FAR6, errno.EPERM)])
def test_strange_sources_where_they_are_allowed(quiet, src, dst, want):
    with pair_of(quiet, HOSTILE, "--spoof") as it:
        take_raw(it)
        quiet.drain(0.01)
        assert raw(it, src, dst) in ((want,) if want == 0 else (errno.EPERM, errno.EINVAL))
        assert len(quiet.drain()) == (1 if want == 0 else 0)


def batch(net, lines):
    with open("/dev/null", "w") as null:
        subprocess.run(["ip", "-n", net.near, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True,
                       stderr=null)


@pytest.fixture
def crowded(quiet):
    """As many IPv4 addresses as the policy can hold, each a network of its own,
    and half as many of IPv6."""
    run("ip", "-n", quiet.near, "link", "add", "vbdum", "type", "veth", "peer", "name", "vbdup")
    run("ip", "-n", quiet.near, "link", "set", "vbdum", "up")
    batch(quiet, ["addr add 10.%d.%d.1/24 brd 10.%d.%d.77 dev vbdum" % (i >> 8, i & 255, i >> 8, i & 255)
                  for i in range(OWN_MAX - 1)])
    batch(quiet, ["addr add 2001:db8:7::%x/128 dev vbdum nodad" % (i + 1) for i in range(OWN_MAX // 2)])
    yield quiet
    run("ip", "-n", quiet.near, "link", "del", "vbdum")


def test_one_address_more_than_the_policy_holds_is_the_end(crowded):
    with pair_of(crowded) as it:
        take_raw(it)
        assert send_from(it, "10.3.254.1") == 0 and send_from(it, "2001:db8:7::200") == 0
        assert len(set_of(crowded, "own4")) == OWN_MAX
        address(crowded, "del", "10.0.0.1/24", "vbdum")  # a renewal of all there is
        assert within(1, it, "10.0.0.1", errno.EPERM)
        assert send_from(it, "10.3.254.1") == 0 and send_from(it, "10.3.254.1", "10.3.254.77") == errno.EPERM
        address(crowded, "add", "10.0.0.1/24", "vbdum")
        assert within(1, it, "10.0.0.1", 0)
        address(crowded, "add", "10.4.0.1/24", "vbdum")
        assert it.wait() == 70
        assert "more addresses than the packet policy can hold (1024 of a family)" in it.said()


def test_too_many_addresses_at_the_start(crowded):
    address(crowded, "add", "10.4.0.1/24", "vbdum")
    with pair_of(crowded) as it:
        assert it.wait() != 0
        assert "more addresses than the packet policy can hold" in it.said()
    assert "vantage" not in crowded.table()
