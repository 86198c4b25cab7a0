"""Holds the records of a run against the truth. The files are read by Debian's
own reader of the format, whoever wrote them."""

import json
import subprocess

import truth


class Verdict:
    """wanted: replies there should be; right: those recorded true; extra: those
    that should not be there; stamps: send times, in seconds."""

    def __init__(self):
        self.wanted = self.right = self.extra = 0
        self.stamps = []
        self.rtts = {}  # of pings, by destination, in microseconds

    def share(self):
        return self.right / self.wanted if self.wanted else 0.0

    def rate(self):
        if len(self.stamps) < 2:
            return 0.0
        return (len(self.stamps) - 1) / (max(self.stamps) - min(self.stamps))

    def good(self):
        return self.share() >= 0.999 and self.extra <= self.wanted // 1000


def records(path):
    with subprocess.Popen(["sc_warts2json", path], stdout=subprocess.PIPE, text=True) as reader:
        for line in reader.stdout:
            record = json.loads(line)
            if record["type"] in ("ping", "trace"):
                yield record


def stamp(reply):
    return reply["tx"]["sec"] + reply["tx"]["usec"] / 1e6


def check_ping(verdict, record, way, probes):
    replies = record.get("responses", [])
    verdict.extra += max(0, len(replies) - probes)
    for reply in replies[:probes]:
        verdict.stamps.append(stamp(reply))
        verdict.rtts[record["dst"]] = reply["rtt"] * 1000
        verdict.right += (reply["from"] == record["dst"] and reply["reply_ttl"] == way.reply_ttl()
                          and 0 < reply["rtt"] < 1000)


def check_trace(verdict, record, way):
    path = way.path()
    seen = set()
    for hop in record.get("hops", []):
        ttl = hop["probe_ttl"]
        verdict.stamps.append(stamp(hop))
        if ttl in seen or ttl > way.hops:
            verdict.extra += 1
            continue
        seen.add(ttl)
        reply_ttl = way.reply_ttl() if ttl == way.hops else 255 - ttl
        verdict.right += hop["addr"] == path[ttl - 1] and hop["reply_ttl"] == reply_ttl


def check(path, targets, probes=1):
    """targets: what was asked for, each once."""
    verdict = Verdict()
    missing = set(targets)
    trace = None
    for record in records(path):
        if record["dst"] not in missing:
            verdict.extra += 1
            continue
        missing.discard(record["dst"])
        way = truth.Way(record["dst"])
        trace = record["type"] == "trace"
        verdict.wanted += way.hops if trace else probes
        if trace:
            check_trace(verdict, record, way)
        else:
            check_ping(verdict, record, way, probes)
    verdict.wanted += sum(truth.Way(t).hops if trace else probes for t in missing)
    return verdict
