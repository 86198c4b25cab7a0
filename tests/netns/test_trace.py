"""What a trace finds: the true path, the reason why it stopped, and no more."""
import pytest

import lab as net

# the word of a command and the word of a record
METHODS = {"udp-paris": "udp-paris", "udp": "udp", "icmp-paris": "icmp-echo-paris",
           "icmp": "icmp-echo", "tcp": "tcp", "tcp-ack": "tcp-ack"}


def only_new(prober):
    if prober.name == "scamper":
        pytest.skip("not in the yardstick's release")


def by_ttl(record):
    out = {}
    for hop in record.get("hops", []):
        out.setdefault(hop["probe_ttl"], []).append(hop)
    return out


def check_path(record, af, dst, upto=6):
    hops = by_ttl(record)
    for ttl in range(1, upto + 1):
        may = net.PATH[af][ttl - 1] if ttl < 6 else {dst}
        if may is None:
            assert ttl not in hops, hops[ttl]
        else:
            assert {h["addr"] for h in hops[ttl]} <= may, (ttl, hops[ttl])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_path(method, af, prober):
    dst = net.DST[af]
    record = prober.one("trace -P %s -w 1 -q 1 -d %d %s"
                        % (method, 80 if "tcp" in method else 33435, dst))
    check_path(record, af, dst)
    assert record["stop_reason"] == "COMPLETED"
    assert (record["method"], record["src"], record["dst"]) == (
        METHODS[method], net.SRC[af], dst)
    assert record["hop_count"] == 6
    assert record["probe_count"] == 6
    for hop in record["hops"]:
        assert 0 < hop["rtt"] < 100 and hop["probe_id"] == 1


def test_closed_port_ends_a_tcp_trace_too(af, prober):
    record = prober.one("trace -P tcp -w 1 -q 1 -d 81 " + net.DST[af])
    assert record["stop_reason"] == "COMPLETED"
    last = record["hops"][-1]
    assert last["addr"] == net.DST[af]


def test_paris_keeps_one_branch_of_the_diamond_and_ports_choose_it(af, prober):
    """Per flow: attempts agree; over flows: both branches are seen."""
    seen = set()
    commands = ["trace -P udp-paris -w 1 -q 3 -Q -m 2 -s %d %s" % (45000 + i, net.DST[af])
                for i in range(16)]
    for record in prober.run(commands):
        branch = {h["addr"] for h in by_ttl(record)[2]}
        assert len(branch) == 1 and len(by_ttl(record)[2]) == 3
        seen |= branch
    assert seen == net.PATH[af][1]


def test_classic_udp_wanders(prober):
    """The destination port rises with each probe, so the branch changes."""
    seen = set()
    for record in prober.run(["trace -P udp -w 1 -q 8 -Q -m 2 -s 45100 " + net.DST[4]]):
        seen |= {h["addr"] for h in by_ttl(record)[2]}
    assert seen == net.PATH[4][1]


def test_silent_hop_takes_every_attempt(af, prober, recorder):
    record = prober.one("trace -P icmp-paris -w 1 -q 2 " + net.DST[af])
    assert [p.ttl for p in recorder.probes(dst=net.DST[af])] == [1, 2, 3, 4, 4, 5, 6]
    assert record["probe_count"] == 7
    waits = [p.when for p in recorder.probes(dst=net.DST[af]) if p.ttl in (4, 5)]
    assert all(0.95 < b - a < 1.3 for a, b in zip(waits, waits[1:]))


def test_quotes_and_replies_are_recorded(af, prober):
    record = prober.one("trace -P udp-paris -w 1 -q 1 -m 3 " + net.DST[af])
    for ttl, hops in by_ttl(record).items():
        hop = hops[0]
        assert (hop["icmp_type"], hop["icmp_code"]) == ((11, 0) if af == 4 else (3, 0))
        assert hop["reply_ttl"] == 65 - ttl
        assert hop["icmp_q_ttl"] == 1
        assert hop["probe_size"] == (44 if af == 4 else 60)


STOPS = {
    "unreachable": (net.UNREACHABLE, "-q 2", "UNREACH", 4, {4: 1, 6: 0}),
    "prohibited": (net.PROHIBITED, "-q 1", "UNREACH", 6, {4: 13, 6: 1}),
    "loop": (net.LOOP, "-q 1", "LOOP", None, None),
    "gap": (net.BLACKHOLE, "-q 1 -g 2", "GAPLIMIT", 4, {4: 0, 6: 0}),
    "hoplimit": (net.DST, "-q 1 -m 3", "HOPLIMIT", 3, None),
}


@pytest.mark.parametrize("name", STOPS)
def test_stop_reason(name, af, prober):
    target, options, reason, _, data = STOPS[name]
    record = prober.one("trace -P icmp-paris -w 1 %s %s" % (options, target[af]))
    assert record["stop_reason"] == reason, record
    if data is not None:
        assert record["stop_data"] == data[af]
    assert {h["addr"] for h in by_ttl(record)[1]} == net.PATH[af][0]


def test_two_loops_when_two_are_allowed(prober):
    one = prober.one("trace -P icmp-paris -w 1 -q 1 -l 1 " + net.LOOP[4])
    three = prober.one("trace -P icmp-paris -w 1 -q 1 -l 3 " + net.LOOP[4])
    none = prober.one("trace -P icmp-paris -w 1 -q 1 -l 0 -m 20 " + net.LOOP[4])
    assert one["stop_reason"] == three["stop_reason"] == "LOOP"
    assert one["hop_count"] < three["hop_count"] < 20
    assert (none["stop_reason"], none["hop_count"]) == ("HOPLIMIT", 20)


def test_gap_limit_counts_silent_hops_exactly(prober, recorder):
    prober.one("trace -P udp-paris -w 1 -q 1 -g 3 " + net.BLACKHOLE[4])
    assert [p.ttl for p in recorder.probes(dst=net.BLACKHOLE[4])] == [1, 2, 3, 4, 5]


def test_last_ditch_asks_the_target_itself(af, prober, recorder):
    dst = net.LASTDITCH[af]
    record = prober.one("trace -P udp-paris -w 1 -q 1 -g 2 -G 2 " + dst)
    assert [p.ttl for p in recorder.probes(dst=dst)] == [1, 2, 3, 4, 5, 255]
    assert record["stop_reason"] == "GAPLIMIT"
    assert max(by_ttl(record)) == 3


def test_pmtud_finds_the_small_link(af, prober):
    only_new(prober)    # its JSON leaves the whole of it out
    record = prober.one("trace -M -P udp-paris -w 1 -q 1 " + net.SMALL_MTU[af])
    check_path(record, af, net.SMALL_MTU[af])
    found = record["pmtud"]
    assert (found["path_mtu"], found["if_mtu"]) == (net.MTU_SMALL, 1500)
    assert [n["nhmtu"] for n in found["notes"]] == [net.MTU_SMALL]
    assert found["notes"][0]["addr"] in net.PATH[af][4]


def test_pmtud_without_any_small_link(af, prober):
    only_new(prober)
    record = prober.one("trace -M -P icmp-paris -w 1 -q 1 " + net.DST[af])
    assert record["pmtud"]["path_mtu"] == 1500


def test_pmtud_searches_where_the_router_is_silent(prober):
    only_new(prober)
    record = prober.one("trace -M -P icmp-paris -w 1 -q 1 " + net.SILENT_MTU[4])
    assert record["pmtud"]["path_mtu"] == net.MTU_SMALL


def test_doubletree_stops_at_the_global_set(af, prober, recorder):
    (mid,) = net.PATH[af][4]
    record = prober.one("trace -P icmp-paris -w 1 -q 1 -f 2 -z %s %s" % (mid, net.DST[af]))
    assert record["stop_reason"] == "GSS"
    assert max(by_ttl(record)) == 5
    assert [p.ttl for p in recorder.probes(dst=net.DST[af])] == [2, 3, 4, 5, 1]


def test_doubletree_stops_at_the_local_set(af, prober, recorder):
    command = "trace -P icmp-paris -s 46000 -w 1 -q 1 -f 3 -Z lab%d %s" % (af, net.DST[af])
    prober.run([command])
    assert [p.ttl for p in recorder.probes(dst=net.DST[af])] == [3, 4, 5, 6, 2, 1]
    prober.run([command])
    second = [p.ttl for p in recorder.probes(dst=net.DST[af])][6:]
    if prober.name != "scamper":        # there each run is a process of its own
        assert second == [3, 4, 5, 6, 2]


def test_doubletree_goes_forward_only_when_told(prober, recorder):
    prober.one("trace -P icmp-paris -w 1 -q 1 -f 3 -Z other -O dtree-noback " + net.DST[4])
    assert [p.ttl for p in recorder.probes(dst=net.DST[4])] == [3, 4, 5, 6]


def test_confidence_asks_often_enough(prober):
    """Six answers from one address: 95% sure that there is no second."""
    record = prober.one("trace -P icmp-paris -w 1 -c 95 -m 1 " + net.DST[4])
    assert len(by_ttl(record)[1]) == 6


def test_time_exceeded_from_the_target_is_judged_by_T(prober):
    record = prober.one("trace -P icmp-paris -w 1 -q 1 -T " + net.DST[4])
    assert record["stop_reason"] == "COMPLETED"


def test_parallel_finds_what_serial_finds(af, prober):
    only_new(prober)
    record = prober.one("trace -P udp-paris -s 46001 -w 1 -q 1 -N 4 " + net.DST[af])
    check_path(record, af, net.DST[af])
    assert (record["stop_reason"], record["hop_count"]) == ("COMPLETED", 6)


def test_backwards(prober):
    only_new(prober)
    record = prober.one("trace -P icmp-paris -w 1 -q 1 -m 6 -O back " + net.DST[4])
    check_path(record, 4, net.DST[4])


def test_both_datalink_stamps(prober):
    record = prober.one("trace -P udp-paris -w 1 -q 1 -m 3 -O dl " + net.DST[4])
    assert all(0 < h["rtt"] < 100 for h in record["hops"])


def test_direct_udp_answer_is_seen_with_dl(prober):
    record = prober.one("trace -P udp-paris -w 1 -q 1 -d 7 -O dl " + net.DST[4])
    assert record["stop_reason"] == "COMPLETED"
    assert record["hops"][-1]["addr"] == net.DST[4]


def test_userid_and_repeats(prober):
    record = prober.one("trace -U 4294967295 -w 1 -m 1 " + net.DST[4])
    assert record["userid"] == 4294967295
