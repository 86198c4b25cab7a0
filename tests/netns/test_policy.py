"""What the host's owner decides, seen on the wire: sources, prefixes, rate."""
import pytest

import lab as net
import pair as pair_module

FOREIGN = {4: "192.0.2.200", 6: "2001:db8:a::dead"}
OWN = {4: bytes((192, 0, 2, 33)), 6: bytes.fromhex("20010db8000a") + bytes(9) + b"\1"}


@pytest.fixture
def pair_with(lab):
    """Start a pair on T with a configuration of the test's own."""
    started = []

    def start(conf):
        it = pair_module.Vantage(lab, node="t", conf=conf)
        it.__enter__()
        started.append(it)
        return it

    yield start
    for it in started:
        it.__exit__()


def test_spoofed_source_carries_the_true_one_when_allowed(af, pair_with, recorder_t):
    it = pair_with("spoof yes\n")
    it.one("ping -c 1 -W 1 -O spoof -S %s %s" % (FOREIGN[af], net.DST[af]))
    (probe,) = recorder_t.probes(src=FOREIGN[af])
    assert probe.payload.startswith(OWN[af])
    it.one("ping -c 1 -W 1 -O spoof -O nosrc -S %s %s" % (FOREIGN[af], net.ALIAS[af]))
    (probe,) = recorder_t.probes(src=FOREIGN[af], dst=net.ALIAS[af])
    assert OWN[af] not in probe.payload


def test_spoofed_source_needs_its_option(af, pair_with, recorder_t):
    """commands.md 4.1: -S may be foreign with spoof; trace has no such thing."""
    it = pair_with("spoof yes\n")
    for command in ("ping -c 1 -W 1 -S %s %s", "trace -m 1 -w 1 -S %s %s"):
        record = it.one(command % (FOREIGN[af], net.DST[af]))
        assert record["stop_reason"].lower() == "error" and record["stop_data"] == 99
    assert recorder_t.probes(src=FOREIGN[af]) == []


def test_spoofed_source_stays_here_when_not_allowed(af, pair_with, recorder_t):
    it = pair_with("spoof no\n")
    it.cli(["-O", "json", "-I", "ping -c 3 -i 0.1 -W 1 -O spoof -S %s %s"
            % (FOREIGN[af], net.DST[af])])
    assert recorder_t.probes(src=FOREIGN[af]) == []
    assert it.one("ping -c 1 -o 1 " + net.DST[af])["statistics"]["replies"] == 1


@pytest.mark.parametrize("strange", ["0.0.0.0", "0.0.0.1", "224.0.0.5", "255.255.255.255", "::",
                                     "fe80::1", "ff02::1"])
def test_strange_target_spoils_nobodys_route(strange, pair_with, recorder_t):
    """The kernel's answer for such an address holds for no other, although the
    default route covers them all."""
    it = pair_with("")
    it.one("ping -c 1 -W 0.2 " + strange)
    for af in (4, 6):
        record = it.one("ping -c 1 -o 1 " + net.DST[af])
        assert record["src"] == (net.LINKS[10][3] if af == 4 else net.v6_of(10, 0))
        assert record["statistics"]["replies"] == 1


def test_do_not_probe_file_of_the_host(af, pair_with, recorder_t, tmp_path):
    dnp = tmp_path / "dnp"
    dnp.write_text("# asked not to be probed\n203.0.113.0/26\n2001:db8:8::/64\n")
    it = pair_with("dnp %s\n" % dnp)
    done = it.cli(["-p", "1000", "-O", "json", "-I", "ping -c 2 -i 0.1 -W 1 " + net.DST[af],
                   "ping -c 1 -o 1 " + net.SMALL_MTU[af]])
    assert recorder_t.probes(dst=net.DST[af]) == []
    assert len(recorder_t.probes(dst=net.SMALL_MTU[af])) == 1
    for record in pair_module.records(done.stdout):
        if record["dst"] == net.DST[af]:
            assert record["responses"] == []


def test_rate_of_the_host_holds_whatever_a_client_asks(pair_with, recorder_t):
    it = pair_with("pps 100\n")
    it.run(["ping -c 10 -o 10 -i 0.001 -F %d %s" % (5000 + i, net.DST[4]) for i in range(30)],
           pps=10000)
    times = [p.when for p in recorder_t.probes(dst=net.DST[4])]
    assert len(times) == 300
    assert 2.9 < times[-1] - times[0] < 3.3, times[-1] - times[0]


@pytest.mark.parametrize("pps", [20, 1000])
def test_pace_is_kept_within_one_percent(pps, pair_with, recorder_t):
    it = pair_with("")
    count = pps * 3
    commands = ["ping -c %d -o %d -i 0.001 -F %d %s" % (count // 10, count // 10, 5000 + i,
                                                       net.DST[4]) for i in range(10)]
    it.run(commands, pps=pps)
    times = [p.when for p in recorder_t.probes(dst=net.DST[4])]
    assert len(times) == count
    rate = (count - 1) / (times[-1] - times[0])
    assert abs(rate / pps - 1) < 0.01, rate
