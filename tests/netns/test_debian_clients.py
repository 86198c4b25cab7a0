"""Every program of Debian's `scamper` package that speaks to a control socket,
unchanged, beside Debian's own scamper; docs/clients.md is the table of this."""
import re
import socket
import time

import pytest

import debian
import lab as net

D, D2, R5, R4, D6 = net.DST[4], net.ALIAS[4], "203.0.113.1", "192.0.2.22", net.DST[6]
SMALL = net.SMALL_MTU[4]


def lines(*words):
    return "".join(w + "\n" for w in words)


def asks_for_dealias(run):
    return ": dealias " in run.read("log")


def has_rotated_and_added(run):
    """The file of the second turn is there: the first is whole."""
    return len(run.names(".warts")) >= 2 and ": ping -c 1 %s\n" % D in run.read("log")


RADARGUN = (["sc_radargun", "-a", "in", "-o", "out.warts", "-t", "log", "-q", "3", "-r", "4", "-R", "10",
             "-P", "1000"], {"in": lines(D, SMALL, net.BLACKHOLE[4])})
BDRMAP = (["sc_bdrmap", "-a", "ip2as", "-v", "vp", "-x", "ixp", "-o", "out.warts", "-l", "log"],
          {"ip2as": "%s 64503\n%s 64500\n" % (debian.FAR.replace("/", " "), debian.NEAR.replace("/", " ")),
           "vp": "64500\n", "ixp": ""})

# name: where, arguments, input files, and when it is told to end
RUNS = {
    "pinger": (debian.ALL, ["sc_pinger", "-a", "in", "-o", "out.warts", "-t", "log", "-c", "2/3"],
               {"in": lines(D, D6, net.PROHIBITED[4], net.DROPPED[4])}, None),
    "ally": (debian.ALL, ["sc_ally", "-a", "in", "-o", "out.warts", "-t", "log", "-i", "200", "-w", "1",
                          "-q", "3"], {"in": lines(D + " " + D2)}, None),
    "radargun": (debian.OURS, *RADARGUN, None),
    "radargun-pings": (("debian",), *RADARGUN, asks_for_dealias),
    "prefixscan": (debian.ALL, ["sc_prefixscan", "-i", "in", "-o", "out.warts", "-l", "log", "-w", "1"],
                   {"in": lines(R5 + " " + D)}, None),
    "speedtrap": (debian.ALL, ["sc_speedtrap", "-a", "in", "-o", "out.warts", "-l", "log"],
                  {"in": lines(D6, net.ALIAS[6])}, None),
    "speedtrap-I": (debian.ALL, ["sc_speedtrap", "-I", "-a", "in", "-o", "out.warts", "-l", "log"],
                    {"in": lines(D6, net.ALIAS[6])}, None),
    "filterpolicy": (debian.ALL, ["sc_filterpolicy", "-a", "in", "-o", "out.warts", "-l", "log", "-T", "+http"],
                     {"in": lines("host %s %s" % (D, R5))}, None),
    "bdrmap": (debian.ALL, [*BDRMAP[0], "-O", "noalias"], BDRMAP[1], None),
    "bdrmap-alias": (debian.OURS, *BDRMAP, None),
    "erosprober": (debian.ALL, ["sc_erosprober", "-a", "in", "-o", "out", "-l", "log", "-I", "30", "-R", "10",
                                "-x", "control", "-c", "ping -c 1"],
                   {"in": lines(*["198.18.0.%d" % i for i in range(1, 60)])}, has_rotated_and_added),
    "tbitblind": (("tcp",), ["sc_tbitblind", "-a", "in", "-o", "out", "-t", "log", "-O", "noshuffle"],
                  {"in": lines("1,example.com 5063 %s http://www.example.com/" % D)}, None),
    "tbitpmtud": (("tcp", "debian"), ["sc_tbitpmtud", "-a", "in", "-o", "out", "-t", "log"],
                  {"in": lines("1,example.com 5063 %s http://www.example.com/" % D)}, None),
}


@pytest.fixture(scope="module")
def servers(lab):
    with debian.Servers(lab) as them:
        yield them


@pytest.fixture(scope="module")
def runs(servers):
    """All of them at once: most of their time is waiting."""
    return {(name, where): servers.start(where, *spec)
            for name, (wheres, *spec) in RUNS.items() for where in wheres}


@pytest.fixture(params=debian.OURS)
def where(request):
    return request.param


def ended(runs, name, where, status=0):
    run = runs[name, where]
    assert run.wait() == status, run.all()
    return run


def same_as_debian(runs, name, where):
    """Our run, once it is known to have found what Debian's found."""
    ours, theirs = (ended(runs, name, w) for w in (where, "debian"))
    assert debian.essences(ours.records()) == debian.essences(theirs.records())
    return ours, theirs


# ---- sc_attach, and what reads its file ----

def attach(servers, where, argv, files):
    run = servers.start(where, ["sc_attach", *argv], files)
    assert run.wait() == 0, run.all()
    return run


COMMANDS = lines("trace -U 1 -w 1 -q 1 -s 47001 -d 33435 " + D,
                 "trace -U 2 -P icmp-paris -w 1 -q 1 -s 47002 -d 4660 " + D,
                 "trace -U 3 -w 1 -q 1 -s 47003 -d 33435 " + net.UNREACHABLE[4],
                 "ping -c 2 -i 0.1 -U 7 " + D2, "ping -c 1 -o 1 -P udp -d 33999 " + D)


@pytest.fixture(scope="module")
def files(servers):
    return {w: attach(servers, w, ["-i", "in", "-o", "out.warts"], {"in": COMMANDS}) for w in debian.ALL}


def test_sc_attach_runs_a_command_list(files, where):
    got, want = files[where].records(), files["debian"].records()
    assert len(got) == 5 and debian.essences(got) == debian.essences(want)


def test_sc_attach_options(servers, where):
    run = attach(servers, where, ["-i", "in", "-o", "out.warts", "-c", "ping -c 1 -o 1", "-d", "-P", "7",
                                  "-O", "random", "-O", "impatient"], {"in": lines(D, D2, R5)})
    assert sorted(r["dst"] for r in run.records()) == sorted([D, D2, R5])
    assert run.read("stderr").count(": ping -c 1 -o 1 ") == 3
    run = attach(servers, where, ["-i", "in", "-o", "-"], {"in": lines("ping -c 1 -o 1 " + D)})
    assert [r["dst"] for r in debian.read_records(run.path("stdout"))] == [D]


def test_sc_attach_ends_at_a_refusal(servers, where):
    """It says so, and ends, as it does with Debian's; what this release does
    not measure is refused like a word that nobody knows."""
    for word in ("dealias -m mercator", "tbit -u http://www.example.com/", "tracelb", "sting", "frobnicate"):
        run = attach(servers, where, ["-i", "in", "-o", "out.warts"], {"in": lines(word + " " + D)})
        assert run.read("stderr") == "do_scamperread_line: command not accepted\n", word
        assert run.records() == []


def test_a_command_for_each_more_is_not_slow_by_tcp(servers):
    """No reply waits for the acknowledgement of the one before it: that took
    20 ms each."""
    took = {}
    for where in debian.OURS:
        began = time.monotonic()
        run = attach(servers, where, ["-i", "in", "-o", "out.warts", "-c", "trace -m 1 -w 1 -q 1"],
                     {"in": lines(*[D] * 100)})
        took[where] = time.monotonic() - began
        assert len(run.records()) == 100
    assert took["tcp"] < took["unix"] + 1, took


# ---- drivers; the slowest first ----

def test_sc_erosprober_probes_rotates_and_is_told(runs):
    both = [runs["erosprober", where] for where in debian.OURS]
    for run in both:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(run.await_path("control"))
            sock.sendall(b"+%s\n" % D.encode())
    for run in both:
        run.wait()
        found = run.records(run.names(".warts")[0])
        assert len(found) >= 10 and {r["method"] for r in found} == {"icmp-echo"}
        assert [len(r["responses"]) for r in found if r["dst"] == D] == [1]


def test_sc_pinger(runs, where):
    ours, _ = same_as_debian(runs, "pinger", where)
    assert {r["dst"]: len(r["responses"]) for r in ours.records() if r["method"] == "icmp-echo"} == {
        D: 2, D6: 2, net.PROHIBITED[4]: 2, net.DROPPED[4]: 0}
    assert [r["method"] for r in ours.records() if r["dst"] == net.DROPPED[4]] == [
        "icmp-echo", "udp-dport", "tcp-ack-sport"]


def test_sc_ally_as_far_as_there_is_dealias(runs, where):
    """Its pings come to the same verdicts; the test of the pair is refused, and
    it ends."""
    ours, theirs = (ended(runs, "ally", w) for w in (where, "debian"))
    assert [x for x in ours.log() if "done ping" in x] == [x for x in theirs.log() if "done ping" in x]
    pings = [r for r in theirs.records() if r["type"] == "ping"]
    assert len(pings) == 6 and debian.essences(ours.records()) == debian.essences(pings)
    assert re.match(r"p 1, w 0, v 0 : dealias -m ally ", ours.log()[-1])
    mine, other = (debian.read(["sc_ally", "-d", "2"], r.path("out.warts")) for r in (ours, theirs))
    assert mine == other


def test_sc_radargun_as_far_as_there_is_dealias(runs, where):
    """Which addresses count upwards is found; the test of all is refused."""
    ours, theirs = ended(runs, "radargun", where, status=255), runs["radargun-pings", "debian"]
    theirs.wait()
    assert asks_for_dealias(ours)
    assert debian.essences(ours.records()) == debian.essences(theirs.records())
    verdict = [sorted(x.split(" : ")[1] for x in r.log() if x.endswith((" incr", " unresp")))
               for r in (ours, theirs)]
    assert verdict[0] == verdict[1] != []
    assert debian.read(["sc_radargun", "-d", "2"], ours.path("out.warts")) == \
        debian.read(["sc_radargun", "-d", "2"], theirs.path("out.warts"))


def test_sc_prefixscan_as_far_as_there_is_dealias(runs, where):
    ours, theirs = (ended(runs, "prefixscan", w) for w in (where, "debian"))
    verdict = [x for x in theirs.log() if "done ping" in x]
    assert verdict and verdict == [x for x in ours.log() if "done ping" in x]
    assert re.search(r": dealias -m prefixscan ", ours.log()[-1])
    pings = [r for r in theirs.records() if r["type"] == "ping"]
    assert debian.essences(ours.records()) == debian.essences(pings)
    assert debian.read(["sc_prefixscan", "-r"], ours.path("out.warts")) == \
        debian.read(["sc_prefixscan", "-r"], theirs.path("out.warts"))


def fragments(run):
    """The last reply to each ping: an earlier one may be whole, for the first
    who tells the target of the small MTU."""
    return sorted((r["dst"], r["userid"], r["responses"][-1]["reply_size"]) for r in run.records())


def test_sc_speedtrap(runs, where):
    for name in ("speedtrap", "speedtrap-I"):
        ours, theirs = (ended(runs, name, w) for w in (where, "debian"))
        assert fragments(ours) == fragments(theirs)
        assert ours.log()[-1] == theirs.log()[-1] == "p 0, w 0, l 0, b 0 : done"
        mine, other = (sorted(debian.read(["sc_speedtrap", "-d", "2"], r.path("out.warts")).splitlines())
                       for r in (ours, theirs))
        assert mine == other
    assert len(mine) == 0 and len(fragments(ours)) == 6


def test_sc_filterpolicy(runs, where):
    ours, theirs = same_as_debian(runs, "filterpolicy", where)
    mine, other = (debian.read(["sc_filterpolicy", "-r"], r.path("out.warts")) for r in (ours, theirs))
    assert mine == other
    assert re.search(r"^%s\s*:\s+O" % re.escape(D), mine, re.M)
    assert re.search(r"^%s\s*:\s+X" % re.escape(R5), mine, re.M)


def test_sc_bdrmap_without_aliases(runs, where):
    ours, theirs = same_as_debian(runs, "bdrmap", where)
    assert len(ours.records()) == 5
    for dump in ("routers", "traces"):
        mine, other = (re.sub(r"> \d+\.\d+ ", "> rtt ", debian.read(
            ["sc_bdrmap", "-d", dump, "-a", r.path("ip2as"), "-v", r.path("vp"), "-x", r.path("ixp")],
            r.path("out.warts"))) for r in (ours, theirs))
        assert mine == other
    assert " 5 %s <11,0> rtt 1 64500\n 6 %s <0,0> rtt 0 64503\n" % (
        debian.NEAR_ROUTER, debian.FAR_HOST) in mine


def test_sc_bdrmap_resolves_aliases_as_far_as_there_is_dealias(runs, where):
    run = ended(runs, "bdrmap-alias", where, status=255)
    assert run.read("stderr") == "got error\n"
    assert " : dealias -m prefixscan " in run.log()[-2]
    assert {r["method"] for r in run.records() if r["dst"] == debian.NEAR_ROUTER} == {
        "icmp-echo", "tcp-ack-sport", "udp-dport"}


def test_sc_tbitblind_is_told_that_there_is_no_tbit(runs):
    run = ended(runs, "tbitblind", "tcp", status=255)
    assert run.read("stderr") == \
        "unknown response 'ERR command not accepted: could not determine command type'\n"


def test_sc_tbitpmtud_of_debian_ends_at_once_with_both(runs):
    """Debian's build asks for nothing, of its own scamper no more than of us."""
    for where in ("tcp", "debian"):
        run = ended(runs, "tbitpmtud", where)
        assert run.log() == [] and run.names(".warts") == []


# ---- readers ----

def test_readers_that_convert(files, where):
    path = files[where].path("out.warts")
    dump = debian.read(["sc_wartsdump"], path)
    assert (dump.count("traceroute from"), dump.count("ping from")) == (3, 2)
    assert debian.read(["sc_warts2text"], path).count("traceroute from") == 3
    assert len(debian.read(["sc_ipiddump"], path).splitlines()) == \
        len(debian.read(["sc_ipiddump"], files["debian"].path("out.warts")).splitlines()) > 10
    pcap = files[where].path("out.pcap")
    debian.read(["sc_warts2pcap", "-o", pcap], path)       # of tbit and sting alone
    assert sorted(debian.read(["sc_ttlexp"], path).splitlines()) == \
        sorted(debian.read(["sc_ttlexp"], files["debian"].path("out.warts")).splitlines())


def analysis(path):
    """A line a trace, without times."""
    out = []
    for line in debian.read(["sc_analysis_dump", "-C", "-t", "-r"], path).splitlines():
        fields = line.split("\t")
        out.append([re.sub(r",[0-9.]+,", ",rtt,", f) for f in fields])
    return sorted(out)


def test_readers_that_compare(files, where):
    ours, theirs = files[where].path("out.warts"), files["debian"].path("out.warts")
    assert analysis(ours) == analysis(theirs) and len(analysis(ours)) == 3
    assert debian.read(["sc_tracediff", "-m", "userid"], ours, theirs) == ""
    assert debian.read(["sc_tracediff", "-a", "-m", "userid"], ours, theirs).count("traceroute") == 3


def test_readers_that_write_warts(files, where):
    run = files[where]
    path, both, some = run.path("out.warts"), run.path("both.warts"), run.path("some.warts")
    debian.read(["sc_wartscat", "-o", both], path, files["debian"].path("out.warts"))
    assert debian.essences(debian.read_records(both)) == debian.essences(run.records() * 2)
    debian.read(["sc_wartsfilter", "-t", "ping", "-a", D2, "-i", path, "-o", some])
    assert [(r["type"], r["dst"]) for r in debian.read_records(some)] == [("ping", D2)]
