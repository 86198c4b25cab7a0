"""What leaves the host, field by field, as the next router sees it."""
import pytest

import lab as net

ECHO = {4: ("icmp", 8), 6: ("icmp6", 128)}
HEADER = {4: 20, 6: 40}
TTL_LIMIT = 3       # short of the silent hop, so that nothing waits


@pytest.fixture
def send(prober, recorder):
    """Run one command; return its record and the probes that crossed."""
    def run(command, dst, **want):
        record = prober.one("%s %s" % (command, dst))
        return record, recorder.probes(dst=dst, **want)
    return run


def check(probes, count, fields):
    assert len(probes) == count, probes
    for index, probe in enumerate(probes):
        want = fields(index)
        got = {key: getattr(probe, key) for key in want}
        assert got == want, (index, probe)
        assert probe.ip_sum_ok is not False and probe.sum_ok is not False, probe


def only_new(prober):
    if prober.name == "scamper":
        pytest.skip("not in the yardstick's release")


# name: options, fields of probe i
TRACES = {
    "default-is-udp-paris": ("-s 40001 -d 33501", lambda af, i: dict(
        proto="udp", sport=40001, dport=33501, sum=i + 1)),
    "udp-paris": ("-P UDP-paris -s 40001 -d 33501", lambda af, i: dict(
        proto="udp", sport=40001, dport=33501, sum=i + 1)),
    "udp": ("-P udp -s 40002 -d 33600", lambda af, i: dict(
        proto="udp", sport=40002, dport=33600 + i,
        payload=bytes(16 if af == 4 else 12))),
    "icmp": ("-P ICMP -s 40003", lambda af, i: dict(
        zip(("proto", "type"), ECHO[af]), code=0, id=40003, icmp_seq=i)),
    "icmp-paris": ("-P icmp-paris -s 40004 -d 4660", lambda af, i: dict(
        zip(("proto", "type"), ECHO[af]), code=0, id=40004, icmp_seq=i, sum=4660)),
    "tcp": ("-P tcp -s 40006 -d 80", lambda af, i: dict(
        {"flow": i + 1} if af == 6 else {}, proto="tcp", sport=40006, dport=80,
        flags=0x02, seq=0, ack=0, win=0, tcpopts=b"", payload=b"")),
    "tcp-ack": ("-P tcp-ack -s 40007 -d 80", lambda af, i: dict(
        {"flow": i + 1} if af == 6 else {}, proto="tcp", sport=40007, dport=80,
        flags=0x10, seq=0, ack=0, win=0, tcpopts=b"", payload=b"")),
    "tos": ("-P udp-paris -t 184", lambda af, i: dict(tos=184)),
    "payload": ("-P udp -d 33700 -p 68656c6c6f21", lambda af, i: dict(
        payload=b"hello!")),
}


@pytest.mark.parametrize("name", TRACES)
def test_trace_probe(name, af, prober, send):
    if name == "tos" and af == 6:
        only_new(prober)    # the yardstick does not take -t there
    options, fields = TRACES[name]
    _, probes = send("trace -w 1 -m %d %s" % (TTL_LIMIT, options), net.DST[af])
    tcp = "tcp" in name
    size = HEADER[af] + (20 if tcp else 24 if af == 4 else 20)
    if name == "payload":
        size = HEADER[af] + 8 + 6

    def want(i):
        out = dict(ttl=i + 1, size=size, src=net.SRC[af], tos=0)
        if af == 4:
            out.update(ipid=i + 1, df=True, mf=False, offset=0, ipopts=b"")
        else:
            out.update(ext=[])
        out.update(fields(af, i))
        return out

    if name == "tos":
        want = lambda i: fields(af, i)                      # noqa: E731
    check(probes, TTL_LIMIT, want)


def test_icmp_checksum_is_the_identifier_when_not_chosen(af, send):
    _, probes = send("trace -w 1 -m 3 -P icmp-paris", net.DST[af])
    check(probes, 3, lambda i: dict(sum=probes[0].id, id=probes[0].id))


def test_const_payload_varies_only_the_ip_header(af, prober, send):
    only_new(prober)
    _, probes = send("trace -w 1 -m 3 -O const-payload -s 40010", net.DST[af])
    assert len({(p.sum, p.payload, p.sport, p.dport) for p in probes}) == 1
    check(probes, 3, lambda i: {"ipid": i + 1} if af == 4 else {"flow": i + 1})


def test_first_ttl_and_source_address(af, send):
    record, probes = send("trace -w 1 -f 2 -m 3 -S %s" % net.SRC2[af], net.DST[af])
    check(probes, 2, lambda i: dict(ttl=i + 2, src=net.SRC2[af]))
    assert record["src"] == net.SRC2[af]


def test_all_attempts_are_sent_with_Q(af, send):
    record, probes = send("trace -w 1 -P icmp-paris -m 2 -q 3 -Q", net.DST[af])
    assert [p.ttl for p in probes] == [1, 1, 1, 2, 2, 2]
    assert len(record["hops"]) == 6


def test_fragment_header(prober, send):
    _, probes = send("trace -w 1 -q 1 -m 2 -P udp-paris -s 40011 -o 100", net.DST[6])
    assert probes
    for probe in probes:
        assert probe.ext == [44] and probe.offset == 100, probe
        assert probe.frag_id >> 16 == 40011, probe
    assert len({p.frag_id for p in probes}) == len(probes)


PINGS = {
    "echo": ("-F 4001 -d 7", lambda af, i: dict(
        zip(("proto", "type"), ECHO[af]), code=0, id=4001, icmp_seq=7 + i, ttl=64,
        payload=bytes(56), size=HEADER[af] + 64)),
    "echo-ttl-tos": ("-m 33 -z 40", lambda af, i: dict(ttl=33, tos=40)),
    "echo-checksum": ("-C 43981", lambda af, i: dict(sum=43981)),
    "echo-payload": ("-B 68656c6c6f21", lambda af, i: dict(payload=b"hello!")),
    "echo-pattern": ("-p 616263", lambda af, i: dict(payload=(b"abc" * 19)[:56])),
    "echo-size": ("-s 200", lambda af, i: dict(
        size=200, payload=bytes(200 - 8 - HEADER[af]))),
    "echo-odd-size": ("-s 201", lambda af, i: dict(size=201)),
    "tcp-syn": ("-P tcp-syn -d 81 -F 41001", lambda af, i: dict(
        proto="tcp", sport=41001, dport=81, flags=0x02, ack=0, win=65535,
        size=HEADER[af] + 20)),
    "tcp-ack": ("-P tcp-ack -d 80 -F 41002", lambda af, i: dict(
        proto="tcp", sport=41002, dport=80, flags=0x10, size=HEADER[af] + 20)),
    "tcp-synack": ("-P tcp-synack -d 80 -F 41003", lambda af, i: dict(
        sport=41003, dport=80, flags=0x12)),
    "udp": ("-P udp -d 33999 -F 41005", lambda af, i: dict(
        proto="udp", sport=41005, dport=33999, payload=bytes(12),
        size=HEADER[af] + 20)),
    "udp-dport": ("-P udp-dport -d 33999 -F 41006", lambda af, i: dict(
        proto="udp", sport=41006, dport=33999 + i)),
}


@pytest.mark.parametrize("name", PINGS)
def test_ping_probe(name, af, prober, send):
    if name == "echo-ttl-tos" and af == 6:
        only_new(prober)
    options, fields = PINGS[name]
    record, probes = send("ping -c 3 -o 3 -i 0.1 " + options, net.DST[af])

    def want(i):
        out = dict(src=net.SRC[af])
        if af == 4:
            out.update(df=True, mf=False, offset=0, ipopts=b"")
        out.update(fields(af, i))
        return out

    check(probes, 3, want)
    if af == 4:
        assert all(p.ipid for p in probes)
    assert record["ping_sent"] == 3
    assert record["probe_size"] == probes[0].size


def test_tcp_rst_is_sent_and_nothing_answers(af, send):
    record, probes = send("ping -c 2 -i 0.1 -W 1 -P tcp-rst -d 80 -F 41004", net.DST[af])
    check(probes, 2, lambda i: dict(sport=41004, dport=80, flags=0x04))
    assert record["responses"] == []


@pytest.mark.parametrize("method,flags", [("tcp-ack-sport", 0x10), ("tcp-syn-sport", 0x02),
                                          ("udp-sport", None)])
def test_each_probe_has_its_own_source_port(method, flags, af, prober, send):
    if method != "tcp-ack-sport":
        only_new(prober)
    _, probes = send("ping -c 3 -o 3 -i 0.1 -P %s -d 33998 -F 42001" % method, net.DST[af])
    assert probes[0].sport == 42001
    assert len({p.sport for p in probes}) == 3
    check(probes, 3, lambda i: dict(dport=33998, flags=flags))


def test_tcp_number_of_choice(af, prober, send):
    only_new(prober)
    _, probes = send("ping -c 2 -o 2 -i 0.1 -P tcp-syn -d 81 -A 123456789", net.DST[af],
                     flags=0x02)
    check(probes, 2, lambda i: dict(seq=123456789, ack=0))
    _, probes = send("ping -c 2 -o 2 -i 0.1 -P tcp-ack -d 81 -A 123456789", net.DST[af],
                     flags=0x10)
    check(probes, 2, lambda i: dict(ack=123456789))


def test_mss_option(af, prober, send):
    only_new(prober)
    _, probes = send("ping -c 1 -o 1 -P tcp-syn -d 81 -O mss=1234", net.DST[af])
    check(probes, 1, lambda i: dict(tcpopts=bytes((2, 4, 1234 >> 8, 1234 & 255))))


def test_timestamp_request(send, prober):
    record, probes = send("ping -c 2 -o 2 -i 0.1 -P icmp-time -F 4010", net.DST[4])
    check(probes, 2, lambda i: dict(proto="icmp", type=13, code=0, id=4010, icmp_seq=i))
    for probe in probes:
        assert probe.payload[4:12] == bytes(8)      # receive and transmit are the peer's
        assert int.from_bytes(probe.payload[:4], "big") < 86400000
    if prober.name != "scamper":
        assert record["probe_size"] == probes[0].size


def test_payload_size(af, prober, send):
    only_new(prober)
    _, probes = send("ping -c 1 -o 1 -b 100", net.DST[af])
    check(probes, 1, lambda i: dict(payload=bytes(100), size=HEADER[af] + 108))


IPOPTS = {
    "-R": bytes((7, 39, 4)) + bytes(37),
    "-T tsonly": bytes((68, 40, 5, 0)) + bytes(36),
    "-T tsandaddr": bytes((68, 36, 5, 1)) + bytes(32),
    "-T tsprespec=192.0.2.2,203.0.113.2": bytes((68, 20, 5, 3))
    + bytes((192, 0, 2, 2)) + bytes(4) + bytes((203, 0, 113, 2)) + bytes(4),
}


@pytest.mark.parametrize("option", IPOPTS)
def test_ip_options(option, prober, send):
    record, probes = send("ping -c 1 -o 1 " + option, net.DST[4])
    got = probes[0].ipopts
    if option == "-R":      # the fortieth octet is padding, of either kind
        got = got[:39] + b"\0"
    if option.startswith("-T tsprespec"):
        assert got[:20] == IPOPTS[option]
    else:
        assert got == IPOPTS[option]
    if prober.name != "scamper":
        assert record["probe_size"] == probes[0].size


def test_pseudo_mtu_makes_one_packet_too_big(af, prober, recorder):
    dst = net.ALIAS[af]
    prober.one("ping -c 2 -i 0.2 -W 1 -s 1400 -M 1300 " + dst)
    if af == 4:
        told = recorder.probes(dst=dst, proto="icmp", type=3, code=4)
    else:
        told = recorder.probes(dst=dst, proto="icmp6", type=2, code=0)
    assert len(told) >= 1, recorder.probes(dst=dst)
    assert told[0].ttl == 255 and told[0].src == net.SRC[af]
    assert told[0].body[4:8] == (1300).to_bytes(4, "big")
    assert told[0].payload[0] >> 4 == af        # it quotes what was too big


def test_too_big_trick_brings_fragments(prober):
    record = prober.one("ping -O tbt -c 5 -o 2 -i 0.2 -s 1400 -M 1280 " + net.ALIAS[6])
    assert len(record["responses"]) >= 2
    assert all(r["from"] == net.ALIAS[6] for r in record["responses"])


def test_pace_between_probes_is_kept(prober, recorder):
    prober.one("ping -c 4 -o 4 -i 0.25 " + net.DST[4])
    times = [p.when for p in recorder.probes(dst=net.DST[4])]
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert len(gaps) == 3 and all(0.2 < g < 0.4 for g in gaps), gaps
