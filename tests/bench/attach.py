"""The lines about the control socket: both rivals as a service, and the same
clients of ours at each."""

import ipaddress
import os
import resource
import subprocess
import time

import lab
import rivals
from measures import line, percentile

COMMANDS = 130000
AHEAD = 2048  # commands that wait for their OK, of all clients together
COMMAND = "ping -c 1"  # its result comes a second after its reply
AT_ONCE = "ping -c 1 -o 1"  # its result comes with its reply
DELAYS = 200
IDLE_CLIENTS = 1000
IDLE_SECONDS = 3
START_LIMIT = 30  # seconds
# clients; goal: five times what a rival without a cap was seen to do
LOADS = ((1, 60000), (16, 110000), (64, 110000))


class Service:
    """A rival that serves a UNIX socket, and what its processes cost."""

    def __init__(self, rival, folder, rate):
        self.path = os.path.join(folder, f"{rival.name}.sock")
        self.argv = [rival.program, "-U", self.path, "-p", str(rate), "-w", "0"]
        self.group = rivals.Cgroup()

    def __enter__(self):
        self.group.__enter__()
        try:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                          stderr=subprocess.PIPE, text=True,
                                          preexec_fn=lambda: rivals.Rival.prepare(self.group))
            until = time.monotonic() + START_LIMIT
            while not os.path.exists(self.path):
                if self.child.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{self.argv[0]} serves nothing: {self.child.stderr.read()[:500]}")
                time.sleep(0.02)
        except BaseException:
            self.group.__exit__()
            raise
        return self

    def __exit__(self, *_):
        rivals.end(self.child, self.group)
        self.child.stderr.close()
        self.group.__exit__()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def memory(self):
        return sum(self.group.memory().values())

    def wakeups(self):
        """How often its processes have slept since they began."""
        total = 0
        for pid in self.group.pids():
            with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                total += sum(int(text.split()[1]) for text in f if text.startswith("voluntary_ctxt_switches"))
        return total


class Clients:
    """bench-attach, on the other core: attached when entered."""

    def __init__(self, tools, service, *words):
        self.argv = [f"{tools}/bench-attach", service.path, *map(str, words)]
        self.group = rivals.Cgroup("clients")

    @staticmethod
    def prepare(group):
        group.join()
        os.sched_setaffinity(0, {lab.CPU_NET % os.cpu_count()})
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most))

    def __enter__(self):
        self.group.__enter__()
        self.child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True,
                                      preexec_fn=lambda: self.prepare(self.group))
        if self.child.stdout.readline() != "ready\n":
            self.finish()
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.communicate()
        self.group.__exit__()

    def finish(self):
        """Lets them go, until they have ended; what they have to say."""
        out, complaint = self.child.communicate("\n", timeout=rivals.RUN_LIMIT)
        if self.child.returncode != 0:
            raise RuntimeError(complaint.strip())
        return out


class Attach:
    def __init__(self, bench):
        self.bench = bench

    def service(self, rival):
        return Service(rival, self.bench.folder, rival.highest)

    def load_once(self, rival, command, clients, ahead):
        """Results a second, and CPU microseconds of the service for each."""
        most = COMMANDS if ahead and rival is self.bench.vantage else COMMANDS // 5
        count = max(100, int(most * self.bench.scale))
        with self.service(rival) as service, \
                Clients(self.bench.tools, service, "load", clients, count, ahead, command) as load:
            before = service.group.cpu_seconds()
            words = load.finish().split()
            cpu = service.group.cpu_seconds() - before
        found = dict(zip(words[::2], map(float, words[1::2])))
        if (found["results"], found["ok"], found["errors"], found["again"]) != (count, count, 0, 0):
            raise RuntimeError(f"{rival.name}, {clients} clients: {' '.join(words)} of {count}")
        return count / found["seconds"], cpu / count * 1e6, found["answered"] / count

    def load(self, what, command, clients, ahead, goal):
        best = {}
        for rival in (self.bench.scamper, self.bench.vantage):
            runs = [self.load_once(rival, command, clients, ahead) for _ in range(self.bench.rounds)]
            best[rival] = max(runs)
        their_rate, their_cpu, there = best[self.bench.scamper]
        rate, cpu, answered = best[self.bench.vantage]
        ratio = cpu / their_cpu
        yield line(f"{what}: results a second", f"{their_rate:,.0f}", f"{rate:,.0f}", f"{rate / their_rate:.1f}x",
                   f">= {goal:,}" if goal else "", rate >= goal if goal else None)
        yield line("  CPU us a result, of the service", f"{their_cpu:.2f}", f"{cpu:.2f}", f"{ratio:.2f}",
                   "<= 0.2" if goal else "", ratio <= 0.2 if goal else None)
        yield line("  answered", f"{there:.2%}", f"{answered:.2%}", "", ">= 99.9%", answered >= 0.999)

    def delays(self, rival):
        """From the sending of a command to its packet on the wire, in microseconds."""
        with self.service(rival) as service, \
                Clients(self.bench.tools, service, "delay", 1, DELAYS, 0, AT_ONCE) as one:
            with self.bench.tap() as seen:
                asked = [map(int, words.split()) for words in one.finish().splitlines()]
        sent = {remote[:4]: ns for ns, out, version, _, _, remote, _ in seen if out and version == 4}
        return [(sent[ipaddress.IPv4Address(target).packed] - at) / 1e3 for target, at in asked]

    def delay(self):
        theirs, ours = (self.delays(r) for r in (self.bench.scamper, self.bench.vantage))
        for name, share in (("p50", .5), ("p99", .99)):
            a, b = percentile(theirs, share), percentile(ours, share)
            yield line(f"attach: from a command to its packet, {name}, us", f"{a:.0f}", f"{b:.0f}", f"{b / a:.2f}")

    def idle_once(self, rival):
        """Bytes a client, CPU milliseconds a second and wake-ups a second of all."""
        with self.service(rival) as service:
            before = service.memory()
            with Clients(self.bench.tools, service, "idle", IDLE_CLIENTS):
                time.sleep(1)
                each = (service.memory() - before) / IDLE_CLIENTS
                cpu, slept = service.group.cpu_seconds(), service.wakeups()
                time.sleep(IDLE_SECONDS)
                cpu, slept = service.group.cpu_seconds() - cpu, service.wakeups() - slept
        return each, cpu * 1e3 / IDLE_SECONDS, slept / IDLE_SECONDS

    def idle(self):
        theirs, ours = (self.idle_once(r) for r in (self.bench.scamper, self.bench.vantage))
        yield line(f"attach: {IDLE_CLIENTS:,} idle clients, bytes each", f"{theirs[0]:,.0f}", f"{ours[0]:,.0f}",
                   f"{ours[0] / theirs[0]:.2f}")
        yield line("  CPU ms a second; wake-ups a second", *(f"{cpu:.2f}; {slept:.1f}"
                                                             for _, cpu, slept in (theirs, ours)),
                   "", "0 wake-ups", ours[2] == 0)

    def rows(self):
        if self.bench.family != 4:
            yield "attach: measured with IPv4 only"
            return
        for command, loads in ((COMMAND, LOADS), (AT_ONCE, LOADS[:2])):
            for clients, goal in loads:
                yield from self.load(f"attach: {command}, clients that send ahead: {clients}", command, clients,
                                     AHEAD // clients, goal)
        for clients, _ in LOADS[:2]:
            yield from self.load(f"  a command for each MORE: {clients}", AT_ONCE, clients, 0, 0)
        yield from self.delay()
        yield from self.idle()
