"""Beside the yardstick at random: commands drawn from the options that both
know, run by both, and compared probe by probe on the wire and key by key in
the record.  test_compat.py has commands that somebody chose, and reads of them
what somebody thought of.  The seeds are fixed: a failure comes again.

Not drawn is what the two do differently on purpose, or what is a defect there:
docs/clients.md says which.
"""
import random

import pytest

import lab as net
import wire

SEEDS = range(1, 15)
FIRST_PORT = 20000      # command n begins at port (or ICMP id) 20000 + 100 n, and has -U n
# Not UNREACHABLE: a Linux router without a route does not answer all at once.
HOSTS = ("DST", "ALIAS", "DROPPED", "PROHIBITED", "LOOP", "BLACKHOLE")
NUMBERS = range(1, 2 * len(SEEDS) + 1)

# What two runs may say differently: times, what is drawn at random, and how
# many of the replies count as answers.
VARIES = {"start", "tx", "rx", "rtt", "reply_ipid", "probe_ipid", "icmp_q_ipid", "ts", "tsonly",
          "tcp_seq", "tcp_ack", "statistics"}
# By IPv6 the yardstick sends no traffic class.
VARIES6 = VARIES | {"reply_tos", "icmp_q_tos"}
# Errors to these are all the first probe's there.
NO_SEQ = ("tcp-syn", "tcp-synack", "tcp-rst")
FIELDS = ("src", "dst", "proto", "ttl", "tos", "size", "df", "mf", "offset", "flow", "ipopts",
          "sport", "dport", "ulen", "flags", "win", "urg", "tcpopts", "type", "code", "id",
          "icmp_seq", "payload", "sum", "sum_ok", "ip_sum_ok")


def maybe(rng, odds, option, values):
    return ["-%s %s" % (option, rng.choice(values))] if rng.random() < odds else []


def draw_payload(rng):
    if rng.random() < .3:
        return maybe(rng, 1, "B", ["00", "a1b2c3", "5a" * 57, "01" * 100])
    return (maybe(rng, .4, "p", ["7", "abc", "0123456789abcdef0123456789abcde"]) +
            maybe(rng, .4, "s", [100, 101, 500, 1400]))


def draw_ping(rng, af, port):
    method = rng.choice(["icmp-echo", "icmp-echo", "udp", "udp-dport", "tcp-syn", "tcp-ack",
                         "tcp-ack-sport", "tcp-synack", "tcp-rst"])
    count = rng.randint(1, 4)
    out = ["-P " + method, "-c %d" % count, "-i 0.1", "-F %d" % port]
    out += maybe(rng, .6, "d", [81, 33435, 65500, rng.randrange(1024, 65000)])
    out += maybe(rng, .4, "m", [1, 2, 3, 5, 255])
    out += maybe(rng, .3, "z", [1, 2, 184, 255])
    out += maybe(rng, .3, "S", [net.SRC[af], net.SRC2[af]])
    if method.startswith("tcp"):
        out += maybe(rng, .5, "A", [0, 1, 2**31, 2**32 - 1])
    if method == "icmp-echo":
        out += maybe(rng, .3, "o", [1, 2, count, 65535])
    if af == 4 and method == "icmp-echo" and rng.random() < .4:
        return "ping", out + [rng.choice(["-R", "-T tsonly", "-T tsandaddr"])]
    return "ping", out + draw_payload(rng)


def draw_trace(rng, af, port):
    method = rng.choice(["UDP-paris", "udp", "ICMP", "icmp-paris", "TCP", "tcp-ack"])
    first = rng.choice([1, 1, 1, 2, 3, 5])
    out = ["-P " + method, "-w 1", "-s %d" % port, "-f %d" % first,
           "-q %d" % rng.choice([1, 1, 2]), "-g %d" % rng.randint(1, 3)]
    out += maybe(rng, 1 if method == "icmp-paris" else .5, "d",
                 [1, 81, 33435, rng.randrange(1024, 60000)])
    out += maybe(rng, .3, "m", [m for m in (1, 2, 3, 5, 6, 7) if m >= first])
    out += maybe(rng, .3, "G", [1, 2])
    out += maybe(rng, .3, "l", [1, 2, 3])
    out += maybe(rng, .3, "t", [1, 2, 184, 255])
    out += maybe(rng, .2, "W", [1, 5])
    out += maybe(rng, .3, "S", [net.SRC[af], net.SRC2[af]])
    out += [option for option in ("-T", "-Q") if rng.random() < .2]
    if not method.lower().startswith("tcp"):
        out += maybe(rng, .3, "p", ["a1b2", "5a" * 51, "01" * 600])
    return "trace", out


def draw(af):
    """The commands by number, the same on every run."""
    out = {}
    for number in NUMBERS:
        rng = random.Random("%d %d" % (number, af))
        maker = (draw_ping, draw_trace)[number % 2]
        word, options = maker(rng, af, FIRST_PORT + 100 * number)
        rng.shuffle(options)
        target = getattr(net, rng.choice(HOSTS))[af]
        out[number] = "%s -U %d %s %s" % (word, number, " ".join(options), target)
    return out


@pytest.fixture(scope="module")
def no_label_of_the_kernels(lab):
    """The yardstick's IPv6 probes leave by the kernel's sockets, with a flow
    label; ours have none, and a balancer may send the two to two sides."""
    key = "net.ipv6.auto_flowlabels"
    before = lab.run("s", ["sysctl", "-n", key]).stdout.strip()
    lab.run("s", ["sysctl", "-qw", key + "=0"], check=True)
    yield
    lab.run("s", ["sysctl", "-qw", "%s=%s" % (key, before)], check=True)


def number_of(pkt):
    port = pkt.id if pkt.proto in ("icmp", "icmp6") else pkt.sport
    return ((port or 0) - FIRST_PORT) // 100


def run(lab, prober, commands):
    """Records by number, and by number the probes in the order of their leaving."""
    with wire.Recorder(lab) as recorder:
        records = prober.run(list(commands.values()), timeout=120)
        probes = {n: [] for n in commands}
        for pkt in recorder.probes():
            if number_of(pkt) in probes:
                probes[number_of(pkt)].append(pkt)
    return {r["userid"]: r for r in records}, probes


@pytest.fixture(scope="module")
def results(lab, scamper, pair, no_label_of_the_kernels):
    """All commands of a family at a time, and each family once."""
    kept = {}

    def of(af):
        if af not in kept:
            commands = draw(af)
            kept[af] = commands, run(lab, scamper, commands), run(lab, pair, commands)
        return kept[af]
    return of


def fields(pkt, word):
    out = {name: getattr(pkt, name) for name in FIELDS}
    if word == "trace":
        out["ipid"] = pkt.ipid      # it is the probe's number; a ping's is random
    elif pkt.proto == "tcp":
        del out["sum"]              # the random numbers are in it
    if pkt.af == 6:
        del out["tos"]
    return out


def differences(theirs, ours, varies, at=""):
    """Where ours does not have all that theirs says."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return sum((differences(v, ours.get(k), varies, "%s.%s" % (at, k))
                    for k, v in theirs.items() if k not in varies), [])
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        return sum((differences(a, b, varies, "%s[%d]" % (at, i))
                    for i, (a, b) in enumerate(zip(theirs, ours))), [])
    return [] if theirs == ours else ["%s: there %r, here %r" % (at, theirs, ours)]


@pytest.mark.parametrize("number", NUMBERS)
def test_same_probes_and_record(number, af, results):
    commands, (their_records, their_probes), (our_records, our_probes) = results(af)
    command = commands[number]
    word = command.split()[0]
    theirs, ours = their_probes[number], our_probes[number]
    assert [p.ttl for p in ours] == [p.ttl for p in theirs], command
    for i, (a, b) in enumerate(zip(theirs, ours)):
        assert fields(b, word) == fields(a, word), "probe %d of %s" % (i, command)
    if word == "ping" and af == 4:
        assert all(p.ipid != 0 for p in ours), command
    varies = VARIES if af == 4 else VARIES6
    if our_records[number]["method"] in NO_SEQ:
        varies = varies | {"seq"}
    assert differences(their_records[number], our_records[number], varies) == [], command
