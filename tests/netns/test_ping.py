"""What a ping finds: every reply to every probe, counted right."""
import time

import pytest

import lab as net


def only_new(prober):
    if prober.name == "scamper":
        pytest.skip("not in the yardstick's release")


@pytest.mark.parametrize("method", ["icmp-echo", "udp", "udp-dport", "tcp-syn", "tcp-ack",
                                    "tcp-ack-sport", "tcp-synack"])
def test_every_method_gets_its_answers(method, af, prober):
    port = {"u": "-d 33999", "t": "-d 81", "i": ""}[method[0]]
    record = prober.one("ping -c 3 -o 3 -i 0.1 -P %s %s %s" % (method, port, net.DST[af]))
    assert record["method"] == method and record["src"] == net.SRC[af]
    assert [r["seq"] for r in record["responses"]] == [0, 1, 2]
    for reply in record["responses"]:
        assert reply["from"] == net.DST[af] and 0 < reply["rtt"] < 100
        assert reply["reply_ttl"] == 59
    stats = record["statistics"]
    assert (stats["replies"], stats["loss"]) == (3, 0)


@pytest.mark.parametrize("method", ["udp-sport", "tcp-syn-sport"])
def test_new_methods_get_their_answers(method, af, prober):
    only_new(prober)
    record = prober.one("ping -c 3 -o 3 -i 0.1 -P %s -d 33999 %s" % (method, net.DST[af]))
    assert [r["seq"] for r in record["responses"]] == [0, 1, 2]


def test_open_port_answers_syn(af, prober):
    record = prober.one("ping -c 1 -o 1 -P tcp-syn -d 80 " + net.DST[af])
    assert record["responses"][0]["tcp_flags"] == 0x12


def test_closed_port_answers_reset(af, prober):
    record = prober.one("ping -c 1 -o 1 -P tcp-syn -d 81 " + net.DST[af])
    assert record["responses"][0]["tcp_flags"] == 0x14


def test_timestamp_request_is_answered(prober):
    record = prober.one("ping -c 2 -o 2 -i 0.1 -P icmp-time " + net.DST[4])
    assert [r["icmp_type"] for r in record["responses"]] == [14, 14]


def test_loss_is_what_the_firewall_drops(af, prober):
    """Of nine in a row three are lost, wherever its count of three stands."""
    record = prober.one("ping -c 9 -i 0.05 -W 1 " + net.LOSSY[af])
    assert record["ping_sent"] == 9
    assert record["statistics"]["replies"] == 6
    assert record["statistics"]["loss"] == pytest.approx(1 / 3, abs=0.01)


def test_target_that_drops(af, prober):
    record = prober.one("ping -c 2 -i 0.1 -W 1 " + net.DROPPED[af])
    assert record["responses"] == [] and record["ping_sent"] == 2


def test_errors_on_the_way_are_replies(af, prober):
    record = prober.one("ping -c 1 -W 1 " + net.PROHIBITED[af])
    (reply,) = record["responses"]
    assert (reply["icmp_type"], reply["icmp_code"]) == ((3, 13) if af == 4 else (1, 1))
    record = prober.one("ping -c 1 -W 1 -m 3 " + net.DST[af])
    (reply,) = record["responses"]
    assert reply["from"] in net.PATH[af][2]
    assert (reply["icmp_type"], reply["icmp_code"]) == ((11, 0) if af == 4 else (3, 0))


def test_port_unreachable_is_a_udp_pings_answer(af, prober):
    record = prober.one("ping -c 1 -W 1 -P udp -d 33999 " + net.DST[af])
    (reply,) = record["responses"]
    assert (reply["icmp_type"], reply["icmp_code"]) == ((3, 3) if af == 4 else (1, 4))


def test_udp_service_answers_with_dl(af, prober):
    record = prober.one("ping -c 1 -o 1 -P udp -d 7 -B 68656c6c6f -O dl " + net.DST[af])
    assert record["responses"][0]["reply_proto"] == "udp"


def test_enough_replies_end_it(prober, recorder):
    prober.one("ping -c 10 -o 2 -i 0.1 " + net.DST[4])
    assert len(recorder.probes(dst=net.DST[4])) == 2


def test_small_link_says_too_big(af, prober):
    only_new(prober)    # there the kernel's remembered path MTU swallows the probe
    record = prober.one("ping -c 1 -W 1 -s 1450 " + net.SMALL_MTU[af])
    (reply,) = record["responses"]
    assert (reply["icmp_type"], reply["icmp_code"]) == ((3, 4) if af == 4 else (2, 0))


def test_record_route_tells_the_way_there_and_back(prober):
    record = prober.one("ping -c 1 -o 1 -R " + net.DST[4])
    route = record["responses"][0]["RR"]
    assert len(route) == 9
    assert route[0] in ("192.0.2.5", "192.0.2.9")
    assert route[2:6] == ["192.0.2.21", "192.0.2.25", "203.0.113.1", "203.0.113.2"]


def test_timestamps_of_chosen_routers(prober):
    record = prober.one("ping -c 1 -o 1 -T tsprespec=192.0.2.2,203.0.113.2 " + net.DST[4])
    stamps = record["responses"][0]["tsandaddr"]
    assert [s["ip"] for s in stamps] == ["192.0.2.2", "203.0.113.2"]
    assert all(0 < s["ts"] < 86400000 for s in stamps)


def test_timestamps_only(prober):
    record = prober.one("ping -c 1 -o 1 -T tsonly " + net.DST[4])
    assert len(record["responses"][0]["tsonly"]) == 9
    record = prober.one("ping -c 1 -o 1 -T tsandaddr " + net.DST[4])
    assert len(record["responses"][0]["tsandaddr"]) == 4


def test_many_at_once_keep_apart(af, prober):
    """Forty pings to one target: each gets its own replies and no other's."""
    only_new(prober)    # there they do wait for each other
    commands = ["ping -c 3 -i 0.05 -W 1 -F %d -U %d %s" % (5000 + i, i, net.DST[af])
                for i in range(40)]
    begin = time.monotonic()
    got = prober.run(commands)
    assert time.monotonic() - begin < 15    # nor do they wait for each other
    assert sorted(r["userid"] for r in got) == list(range(40))
    for record in got:
        assert [r["seq"] for r in record["responses"]] == [0, 1, 2], record


def test_second_address_of_this_host(af, prober):
    record = prober.one("ping -c 1 -o 1 -S %s %s" % (net.SRC2[af], net.DST[af]))
    assert record["src"] == net.SRC2[af]
    assert record["statistics"]["replies"] == 1
