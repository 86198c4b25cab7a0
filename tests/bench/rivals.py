"""The two rivals, run alike: the same targets, namespace, core and priority."""

import os
import signal
import subprocess
import tempfile
import time

import lab

CGROUP_NAME = "vantage-bench"
RUN_LIMIT = 300  # seconds


def mounted(wanted, option=None):
    """Where a file system of a type is mounted, or None."""
    with open("/proc/mounts", encoding="utf-8") as f:
        for line in f:
            _, where, kind, options, *_ = line.split()
            if kind == wanted and (option is None or option in options.split(",")):
                return where
    return None


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


class Cgroup:
    """Counts the CPU time of all of a rival's processes, dead or alive; and
    puts them before all other work, on a machine that is shared. (Their own
    priority would not: the scheduler groups by session.)"""

    def __init__(self, suffix=""):
        name = f"{CGROUP_NAME}-{os.getpid()}{suffix}"
        unified, cpu = mounted("cgroup2"), mounted("cgroup", "cpu")
        if unified is None:
            raise RuntimeError("no cgroup2 mounted")
        self.path = f"{unified}/{name}"
        self.weight = f"{cpu}/{name}" if cpu else None

    def __enter__(self):
        os.mkdir(self.path)
        if self.weight:
            os.mkdir(self.weight)
            write(f"{self.weight}/cpu.shares", "262144")
        elif os.path.exists(f"{self.path}/cpu.weight"):
            write(f"{self.path}/cpu.weight", "10000")
        return self

    def __exit__(self, *_):
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        for path in filter(None, (self.path, self.weight)):
            for _ in range(100):
                try:
                    os.rmdir(path)
                    break
                except OSError:
                    time.sleep(0.02)

    def join(self):
        for path in filter(None, (self.path, self.weight)):
            write(f"{path}/cgroup.procs", str(os.getpid()))

    def pids(self):
        with open(f"{self.path}/cgroup.procs", encoding="ascii") as f:
            return [int(line) for line in f]

    def cpu_seconds(self):
        with open(f"{self.path}/cpu.stat", encoding="ascii") as f:
            stat = dict(line.split() for line in f)
        return int(stat["usage_usec"]) / 1e6

    def memory(self):
        """Resident bytes of each process by name: private ones, not shared text."""
        found = {}
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                    status = dict(line.split(":", 1) for line in f)
            except OSError:
                continue
            if "RssAnon" in status:
                name = f"{status['Name'].strip()}/{pid}"
                found[name] = (int(status["RssAnon"].split()[0]) + int(status["RssShmem"].split()[0])) * 1024
        return found


class Result:
    def __init__(self, path, cpu, wall, memory):
        self.path, self.cpu, self.wall, self.memory = path, cpu, wall, memory


class Rival:
    """name: a word; program: its path; highest: the largest -p it takes."""

    def __init__(self, name, program, highest):
        self.name, self.program, self.highest = name, program, highest

    def argv(self, command, rate, targets, out):
        return [self.program, "-p", str(rate), "-w", "0", "-c", command, "-O", "warts", "-o", out, "-f", targets]

    def run(self, folder, command, rate, targets, watch=0):
        """Runs to the end and measures; or watches memory for so many seconds."""
        listing = os.path.join(folder, "targets")
        with open(listing, "w", encoding="ascii") as f:
            f.writelines(t + "\n" for t in targets)
        handle, out = tempfile.mkstemp(prefix=self.name, suffix=".warts", dir=folder)
        os.close(handle)
        os.unlink(out)
        with Cgroup() as group:
            begin = time.monotonic()
            child = subprocess.Popen(self.argv(command, rate, listing, out), stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                     preexec_fn=lambda: self.prepare(group))
            try:
                memory = watch_memory(child, group, watch) if watch else {}
                early = watch and child.poll() is not None
                if watch:
                    end(child, group)
                _, complaint = child.communicate(timeout=RUN_LIMIT)
            finally:
                end(child, group)
            wall = time.monotonic() - begin
            cpu = group.cpu_seconds()
        if early or (child.returncode != 0 and not watch):
            raise RuntimeError(f"{self.name} -p {rate} -c '{command}': exit {child.returncode}: {complaint[:500]}")
        return Result(out, cpu, wall, memory)

    @staticmethod
    def prepare(group):
        group.join()
        lab.inside(lab.NEAR)
        os.sched_setaffinity(0, {lab.CPU_RIVAL})


def end(child, group):
    """Stops what is still there, the way a user would, then for good."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    for _ in range(100):
        if not group.pids():
            return
        time.sleep(0.05)


def watch_memory(child, group, seconds):
    """The most that was resident while the given time went by."""
    most, until = {}, time.monotonic() + seconds
    while time.monotonic() < until and child.poll() is None:
        now = group.memory()
        if sum(now.values()) > sum(most.values()):
            most = now
        time.sleep(0.1)
    return most
