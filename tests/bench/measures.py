"""One function for each line of the table. Each returns the lines it prints."""

import contextlib
import ipaddress
import os
import struct
import subprocess
import time

import check
import lab
import rivals
import truth

PING_TARGETS = 100000
TRACE_TARGETS = 20000
TAP_RECORD = struct.Struct("=QBBBB16sI")
BURST_WINDOW = 0.002  # seconds
RATES = (400000, 350000, 300000, 250000, 200000, 175000, 150000, 125000, 100000, 75000, 50000, 25000)
WORKS = (("ping -c 1", PING_TARGETS), ("trace -P udp-paris", TRACE_TARGETS), ("trace -P udp", TRACE_TARGETS),
         ("trace -P icmp-paris", TRACE_TARGETS))


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else float("nan")


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def line(what, rival, ours, ratio="", goal="", met=None):
    mark = "" if met is None else ("ok" if met else "MISSED")
    return f"{what:<58} {rival:>16} {ours:>16} {ratio:>8}  {goal:<22} {mark}"


class Bench:
    def __init__(self, folder, tools, scamper, vantage, family, scale, rounds):
        self.folder, self.tools = folder, tools
        self.scamper, self.vantage = scamper, vantage
        self.family, self.scale, self.rounds = family, scale, rounds
        self.floor_us = None

    def targets(self, count, silent=False):
        return truth.targets(max(100, int(count * self.scale)), self.family, silent)

    def go(self, rival, command, rate, targets):
        result = rival.run(self.folder, command, rate, targets)
        verdict = check.check(result.path, targets)
        os.unlink(result.path)
        return result, verdict

    def near(self, *words):
        """A tool of ours, in the namespace, on the rivals' core."""
        with rivals.Cgroup() as group:
            done = subprocess.run(words, capture_output=True, text=True, check=False,
                                  preexec_fn=lambda: rivals.Rival.prepare(group))
        if done.returncode != 0:
            raise RuntimeError(f"{words[0]}: {done.stderr.strip()}")
        return done.stdout + done.stderr

    @staticmethod
    def enter_tap():
        lab.inside(lab.NEAR)
        os.sched_setaffinity(0, {lab.CPU_NET})

    @contextlib.contextmanager
    def tap(self):
        """Yields a list, which holds the tap's records afterwards."""
        path, found = os.path.join(self.folder, "tap"), []
        with subprocess.Popen([f"{self.tools}/bench-tap", lab.LINK_NEAR, path], stdout=subprocess.PIPE,
                              preexec_fn=self.enter_tap) as tap:
            tap.stdout.readline()
            try:
                yield found
            finally:
                time.sleep(0.1)
                tap.terminate()
                if tap.wait() != 0:
                    raise RuntimeError("the tap lost packets")
        with open(path, "rb") as f:
            found.extend(TAP_RECORD.iter_unpack(f.read()))
        os.unlink(path)

    # The table.

    def floor_of(self, *words):
        tool = f"{self.tools}/bench-floor"
        runs = [self.near(tool, lab.LINK_NEAR, lab.ADDR4, *words).split() for _ in range(self.rounds)]
        return min(float(r[1]) for r in runs)

    def floor(self):
        self.floor_us = self.floor_of("300000")
        yield line("kernel floor: raw send + ring receive, us CPU", "-", f"{self.floor_us:.2f}")
        paced = [f"{self.floor_of('30000', '10000', str(n)):.2f}" for n in (1, 10, 20)]
        yield line("  at 10,000/s, batches of 1; 10; 20", "-", "; ".join(paced))

    def highest(self, command, count, goal):
        """The highest rate with 99.9% right, and the CPU time there."""
        targets = self.targets(count)
        best, cpu, share = 0, float("nan"), 0.0
        for rate in RATES:
            for _ in range(self.rounds):
                result, verdict = self.go(self.vantage, command, rate, targets)
                share = max(share, verdict.share())
                if verdict.good() and verdict.rate() > best:
                    best, cpu = verdict.rate(), result.cpu / len(verdict.stamps) * 1e6
            if best:
                break
        _, theirs = self.go(self.scamper, command, self.scamper.highest, targets)
        rival = theirs.rate() if theirs.good() else 0
        yield line(f"{command}: rate with 99.9% true, a second", f"{rival:,.0f}", f"{best:,.0f}",
                   f"{best / rival:.1f}x" if rival else "", f">= {goal:,}", best >= goal)
        yield line(f"{command}: CPU s per million at that rate", "-", f"{cpu:.2f}", "", "<= 6", cpu <= 6)
        if self.floor_us:
            yield line(f"{command}: whole path over the floor", f"{self.floor_us:.2f}", f"{cpu:.2f}",
                       f"{cpu / self.floor_us:.2f}", "<= 2.5", cpu <= 2.5 * self.floor_us)
        if not best:
            yield f"  (at the lowest rate tried, {share:.4%} were true)"

    def cpu_at_cap(self, command, count):
        targets = self.targets(count)
        cpu = {}
        for rival in (self.scamper, self.vantage):
            runs = [self.go(rival, command, self.scamper.highest, targets) for _ in range(self.rounds)]
            cpu[rival] = min(r.cpu / max(1, len(v.stamps)) * 1e6 for r, v in runs)
        ratio = cpu[self.vantage] / cpu[self.scamper]
        yield line(f"{command}: CPU s per million at {self.scamper.highest:,}/s", f"{cpu[self.scamper]:.2f}",
                   f"{cpu[self.vantage]:.2f}", f"{ratio:.2f}", "<= 0.35", ratio <= 0.35)

    def memory_of(self, rival, command, count, rate):
        """Bytes a task: from what 1% of the tasks take to what all take."""
        few = self.targets(count // 100, silent=True)
        many = self.targets(count, silent=True)
        seconds = len(many) / rate + 4
        small = rival.run(self.folder, command, rate, few, watch=4).memory
        large = rival.run(self.folder, command, rate, many, watch=seconds).memory
        return (sum(large.values()) - sum(small.values())) / (len(many) - len(few)), large

    def memory(self, command, goal):
        theirs, _ = self.memory_of(self.scamper, command, 100000, self.scamper.highest)
        ours, parts = self.memory_of(self.vantage, command, 100000, 100000)
        ratio = ours / theirs
        yield line(f"{command}: bytes a running task, of 100,000", f"{theirs:,.0f}", f"{ours:,.0f}",
                   f"{ratio:.2f}", f"<= {goal:,}, <= 0.5", ours <= goal and ratio <= 0.5)
        yield "  (" + ", ".join(f"{name.split('/')[0]} {size >> 10} KiB" for name, size in parts.items()) + ")"

    def descriptor(self):
        runs = {"bare": [], "privd": []}
        for _ in range(self.rounds):
            for name, words in (("bare", [f"{self.tools}/bench-fdpass", "bare"]),
                                ("privd", [os.path.join(os.path.dirname(self.vantage.program),
                                                        "../privd/vantage-privd"), "--foreground", "--workerd",
                                           f"{self.tools}/bench-fdpass"])):
                words = self.near(*words).split()
                runs[name].append((int(words[words.index("p50_ns") + 1]), int(words[words.index("p99_ns") + 1])))
        for i, what in enumerate(("p50", "p99")):
            bare, ours = (min(r[i] for r in runs[n]) / 1e3 for n in ("bare", "privd"))
            yield line(f"a descriptor from privd, {what}, us (beside: bare)", f"{bare:.1f}", f"{ours:.1f}",
                       f"{ours / bare:.2f}", "<= 2", ours <= 2 * bare)

    def error_of(self, rival):
        """How far the recorded round trips are from those the tap saw."""
        targets = self.targets(2000)
        with self.tap() as seen:
            _, verdict = self.go(rival, "ping -c 1", 400, targets)
        sent, true = {}, {}
        for ns, out, version, _, _, remote, _ in seen:
            remote = remote[:4] if version == 4 else remote
            if out:
                sent[remote] = ns
            elif remote in sent and remote not in true:
                true[remote] = (ns - sent[remote]) / 1e3
        return [abs(rtt - true[ipaddress.ip_address(dst).packed]) for dst, rtt in verdict.rtts.items()
                if ipaddress.ip_address(dst).packed in true]

    def rtt_error(self):
        theirs, ours = self.error_of(self.scamper), self.error_of(self.vantage)
        a, b = median(theirs), median(ours)
        yield line("round trip against the wire's, p50, us", f"{a:.1f}", f"{b:.1f}", f"{b / a:.2f}", "<= 5", b <= 5)
        yield line("  the same, p99", f"{percentile(theirs, .99):.1f}", f"{percentile(ours, .99):.1f}")

    def pace_of(self, rival, rate, count):
        """The rate kept, and the largest burst: packets within any 2 ms beyond
        those of an even pace, in milliseconds of the rate."""
        targets = truth.targets(count, self.family)
        with self.tap() as seen:
            self.go(rival, "ping -c 1", rate, targets)
        wanted = {ipaddress.ip_address(t).packed for t in targets}
        times = [ns / 1e9 for ns, out, version, _, _, remote, _ in seen
                 if out and (remote[:4] if version == 4 else remote) in wanted]
        most, first = 0, 0
        for i, t in enumerate(times):
            while times[first] <= t - BURST_WINDOW:
                first += 1
            most = max(most, i - first + 1)
        kept = (len(times) - 1) / (times[-1] - times[0]) / rate
        return kept, (most - max(1, rate * BURST_WINDOW)) / rate * 1e3

    def pace(self):
        for rate, count in ((20, 200), (1000, 5000), (10000, 30000), (100000, 131000)):
            # A machine with other work on it may stall us: best of several.
            runs = [self.pace_of(self.vantage, rate, count) for _ in range(self.rounds if rate > 20 else 1)]
            kept, burst = min(runs, key=lambda r: max(abs(r[0] - 1) / 0.01, r[1] / 2))
            yield line(f"pace at {rate:,}/s: rate kept; burst, ms", "-", f"{kept:.4f}; {burst:.2f}", "",
                       "1%; <= 2 ms", abs(kept - 1) <= 0.01 and burst <= 2)
        kept, burst = self.pace_of(self.scamper, 1000, 5000)
        yield line("  the rival's at 1,000/s", f"{kept:.4f}; {burst:.2f}", "")
