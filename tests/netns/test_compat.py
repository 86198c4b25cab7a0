"""Beside the yardstick: the same commands on the same lab give the same
answers, and the field's own tools read our files and speak to our socket."""
import json
import os
import subprocess

import pytest

import lab as net
import pair as pair_module

# Ports are fixed, so that both take the same branch of the diamond.
SAME = {
    "udp-paris": "trace -w 1 -q 1 -s 47001 -d 33435 {dst}",
    "udp": "trace -P udp -w 1 -q 1 -s 47002 -d 33435 {dst}",
    "icmp-paris": "trace -P icmp-paris -w 1 -q 1 -s 47003 -d 4660 {dst}",
    "icmp": "trace -P icmp -w 1 -q 1 -s 47004 {dst}",
    "tcp": "trace -P tcp -w 1 -q 1 -s 47005 -d 80 {dst}",
    "tcp-ack": "trace -P tcp-ack -w 1 -q 1 -s 47006 -d 80 {dst}",
    "attempts": "trace -w 1 -q 2 -s 47007 -d 33435 {dst}",
    "all-attempts": "trace -w 1 -q 2 -Q -m 3 -s 47008 -d 33435 {dst}",
    "gap": "trace -w 1 -q 1 -g 3 -s 47009 -d 33435 {blackhole}",
    "lastditch": "trace -w 1 -q 1 -g 2 -G 2 -s 47010 -d 33435 {lastditch}",
    "loop": "trace -P icmp-paris -w 1 -q 1 -s 47011 -d 4660 {loop}",
    "unreach": "trace -P icmp-paris -w 1 -q 2 -s 47012 -d 4660 {unreachable}",
    "prohibited": "trace -w 1 -q 1 -s 47013 -d 33435 {prohibited}",
    "hoplimit": "trace -w 1 -m 2 -s 47014 -d 33435 {dst}",
    "gss": "trace -w 1 -q 1 -f 2 -z {hop5} -s 47015 -d 33435 {dst}",
    "ping": "ping -c 3 -i 0.1 -F 47101 {dst}",
    "ping-udp": "ping -P udp -c 2 -o 2 -i 0.1 -F 47102 -d 33999 {dst}",
    "ping-udp-dport": "ping -P udp-dport -c 2 -o 2 -i 0.1 -F 47103 -d 33999 {dst}",
    "ping-tcp-ack": "ping -P tcp-ack -c 2 -o 2 -i 0.1 -F 47104 -d 80 {dst}",
    "ping-ttl": "ping -c 2 -i 0.1 -m 2 -F 47105 {dst}",
    "ping-dropped": "ping -c 2 -i 0.1 -W 1 -F 47106 {dropped}",
    "ping-size": "ping -c 2 -o 2 -i 0.1 -s 500 -F 47107 {dst}",
}
TOP_KEYS = ("type", "method", "src", "dst", "sport", "dport", "icmp_sum", "stop_reason",
            "stop_data", "hop_count", "attempts", "hoplimit", "firsthop", "tos",
            "probe_size", "probe_count", "userid", "ping_sent", "ttl", "wait", "timeout")
HOP_KEYS = ("addr", "probe_ttl", "probe_id", "probe_size", "reply_ttl", "reply_tos",
            "reply_size", "icmp_type", "icmp_code", "icmp_q_ttl", "icmp_q_ipl",
            "icmp_q_tos", "tcp_flags")
REPLY_KEYS = ("from", "seq", "reply_size", "reply_ttl", "reply_proto", "icmp_type",
              "icmp_code", "tcp_flags")


def words(af):
    (hop5,) = net.PATH[af][4]
    return {"dst": net.DST[af], "blackhole": net.BLACKHOLE[af], "loop": net.LOOP[af],
            "lastditch": net.LASTDITCH[af], "unreachable": net.UNREACHABLE[af],
            "prohibited": net.PROHIBITED[af], "dropped": net.DROPPED[af], "hop5": hop5}


def essence(record):
    """What both must say alike: all but times, ids and what one of them
    alone records."""
    out = {k: record[k] for k in TOP_KEYS if k in record}
    out["hops"] = [{k: h[k] for k in HOP_KEYS if k in h} for h in record.get("hops", [])]
    out["responses"] = [{k: r[k] for k in REPLY_KEYS if k in r}
                        for r in record.get("responses", [])]
    return out


def common(one, other):
    """Both, with the keys of the top level that the two share."""
    keys = (set(one) & set(other)) - {"probe_count" if one["type"] == "ping" else ""}
    return ({k: one[k] for k in sorted(keys)}, {k: other[k] for k in sorted(keys)})


@pytest.mark.parametrize("name", SAME)
def test_same_answer_as_the_yardstick(name, af, pair, scamper):
    command = SAME[name].format(**words(af))
    theirs, ours = common(essence(scamper.one(command)), essence(pair.one(command)))
    level(theirs, af)
    level(ours, af)
    if name == "gss":   # after going backward it calls the last TTL but one the first
        first = theirs.pop("firsthop")
        ours.pop("firsthop")
        for record in (ours, theirs):
            record["hops"] = [h for h in record["hops"] if h["probe_ttl"] >= first]
    assert ours == theirs


def level(record, af):
    """Where IPv6 lets the two differ: its replies lack what newer releases
    record, and a balancer hashes the flow label, which its kernel sockets set
    and ours leave at zero, so that the branch of the diamond may be another."""
    if af == 4:
        return
    for hop in record["hops"]:
        for key in ("reply_tos", "icmp_q_tos"):
            hop.pop(key, None)
        if hop["probe_ttl"] in (2, 3):
            assert hop.pop("addr") in net.PATH[6][hop["probe_ttl"] - 1] | {"2001:db8:4::1"}


@pytest.mark.parametrize("option,last", [
    ("-R", "192.0.2.1"), ("-T tsonly", None), ("-T tsandaddr", "192.0.2.1"),
    ("-T tsprespec=192.0.2.2,192.0.2.1", "192.0.2.1"), ("-T tsprespec=192.0.2.2,192.0.2.9", None)])
@pytest.mark.parametrize("dst", ["192.0.2.2", net.DST[4]])
def test_what_is_recorded_on_the_way_is_the_same(option, last, dst, pair, scamper):
    """The host that sent it is the last to add itself, where there is room."""
    command = "ping %s -c 1 -o 1 -W 1 %s" % (option, dst)
    theirs, ours = scamper.one(command), pair.one(command)
    seen = []
    for record in theirs, ours:
        (reply,) = record["responses"]
        stamps = reply.get("tsonly") or [s["ts"] for s in reply.get("tsandaddr", [])]
        seen.append((reply.get("RR"), [s["ip"] for s in reply.get("tsandaddr", [])], len(stamps)))
        assert all(0 <= t - stamps[0] < 1000 for t in stamps) or max(stamps) - min(stamps) > 86000000
    assert seen[0] == seen[1]
    if dst == "192.0.2.2" and last is not None:
        assert (seen[1][0] or seen[1][1])[-1] == last


READ = ["trace -w 1 -q 1 -m 3 -U 7 {dst}", "trace -P icmp-paris -w 1 -q 2 -Q -m 2 {dst}",
        "trace -M -P udp-paris -w 1 -q 1 {small}", "trace -P tcp -d 80 -w 1 -q 1 -m 3 {dst}",
        "ping -c 2 -i 0.1 {dst}", "ping -P tcp-syn -d 81 -c 1 -o 1 {dst}",
        "ping -P udp -c 1 -o 1 {dst}"]
READ4 = ["ping -R -c 1 -o 1 {dst}", "ping -T tsonly -c 1 -o 1 {dst}",
         "ping -T tsandaddr -c 1 -o 1 {dst}", "ping -P icmp-time -c 1 -o 1 {dst}",
         "ping -T tsprespec=192.0.2.2 -c 1 -o 1 {dst}"]


@pytest.fixture(scope="module")
def warts_file(pair):
    """One file with every kind of record; the same run in JSON beside it."""
    commands = [c.format(dst=net.DST[af], small=net.SMALL_MTU[af])
                for af in (4, 6) for c in READ]
    commands += [c.format(dst=net.DST[4]) for c in READ4]
    path = os.path.join(pair.dir, "run-all.warts")
    with open(path, "w"):
        os.chmod(path, 0o666)
    done = pair.cli(["-p", "1000", "-O", "warts", "-o", path, "-l", "mylist", "-L", "7",
                     "-C", "3", "-M", "mon.example", "-I", *commands])
    assert done.returncode == 0, done.stderr + pair.log()
    return path, commands


@pytest.mark.parametrize("tool", ["sc_wartsdump", "sc_warts2json", "sc_warts2text"])
def test_the_fields_tools_read_our_file(tool, warts_file, pair):
    path, commands = warts_file
    done = subprocess.run([tool, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = done.stdout
    traces = sum(c.startswith("trace") for c in commands)
    pings = len(commands) - traces
    if tool == "sc_wartsdump":
        assert text.count("traceroute from") == traces
        assert text.count("ping from") == pings
        assert "mon.example" in text and "mylist" in text
    elif tool == "sc_warts2text":
        assert text.count("traceroute from") == traces
    else:
        kinds = [json.loads(line)["type"] for line in text.splitlines()]
        assert kinds[0] == "cycle-start" and kinds[-1] == "cycle-stop"
        assert (kinds.count("trace"), kinds.count("ping")) == (traces, pings)


def test_their_reading_and_ours_agree(warts_file, pair):
    path, _ = warts_file
    theirs = pair_module.records(subprocess.run(
        ["sc_warts2json", path], capture_output=True, text=True).stdout)
    done = subprocess.run([pair.client, "dump", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ours = pair_module.records(done.stdout)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        a, b = common(essence(a), essence(b))
        if ":" in a["dst"]:
            for hop in a["hops"] + b["hops"]:
                hop.pop("icmp_q_tos", None)
        assert a == b


def test_yardstick_files_are_read_by_our_dump(lab, pair, tmp_path):
    path = str(tmp_path / "theirs.warts")
    done = lab.run("s", ["scamper", "-O", "warts", "-o", path, "-p", "1000", "-I",
                         "trace -w 1 -m 3 " + net.DST[4], "ping -c 1 -o 1 " + net.DST[6]])
    assert done.returncode == 0
    os.chmod(path, 0o644)
    mine = subprocess.run([pair.client, "dump", path], capture_output=True, text=True)
    assert mine.returncode == 0, mine.stderr
    assert {r["type"] for r in pair_module.records(mine.stdout)} == {"trace", "ping"}


@pytest.mark.parametrize("suffix,unpack", [("gz", "gzip"), ("bz2", "bzip2"), ("xz", "xz")])
def test_compressed_files_unpack_to_the_same(suffix, unpack, pair, tmp_path):
    path = str(tmp_path / ("out.warts." + suffix))
    done = pair.cli(["-p", "1000", "-o", path, "-I", "ping -c 1 -o 1 " + net.DST[4]])
    assert done.returncode == 0, done.stderr
    plain = subprocess.run([unpack, "-dc", path], capture_output=True)
    assert plain.returncode == 0
    (tmp_path / "plain.warts").write_bytes(plain.stdout)
    read = subprocess.run(["sc_wartsdump", str(tmp_path / "plain.warts")],
                          capture_output=True, text=True)
    assert read.stdout.count("ping from") == 1


def test_sc_attach_works_unchanged(pair, tmp_path):
    targets = tmp_path / "targets"
    targets.write_text("".join("trace -w 1 -q 1 -m 3 %s\n" % a for a in
                               (net.DST[4], net.DST[6], net.ALIAS[4], net.ALIAS[6])))
    out = tmp_path / "out.warts"
    os.chmod(targets, 0o644)
    done = subprocess.run(pair_module.as_user(["sc_attach", "-U", pair.socket, "-i",
                                               str(targets), "-o", str(out)]),
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr + pair.log()
    read = subprocess.run(["sc_warts2json", str(out)], capture_output=True, text=True)
    got = pair_module.records(read.stdout)
    assert sorted(r["dst"] for r in got) == sorted(
        (net.DST[4], net.DST[6], net.ALIAS[4], net.ALIAS[6]))
    assert all(r["stop_reason"] == "HOPLIMIT" for r in got)


def test_sc_attach_with_a_command_of_its_own(pair, tmp_path):
    targets = tmp_path / "targets"
    targets.write_text("%s\n%s\n" % (net.DST[4], net.ALIAS[4]))
    out = tmp_path / "out.warts"
    done = subprocess.run(["sc_attach", "-U", pair.socket, "-c", "ping -c 1", "-i",
                           str(targets), "-o", str(out), "-O", "impatient"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr + pair.log()
    read = subprocess.run(["sc_warts2json", str(out)], capture_output=True, text=True)
    assert len(pair_module.records(read.stdout)) == 2
