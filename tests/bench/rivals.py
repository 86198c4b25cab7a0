"""The two rivals, run alike: the same targets, namespace, core and priority."""

import os
import signal
import subprocess
import tempfile
import time

import lab

CGROUP_NAME = "vantage-bench"


def cgroup_root():
    with open("/proc/mounts", encoding="utf-8") as f:
        for line in f:
            _, where, kind, *_ = line.split()
            if kind == "cgroup2":
                return where
    raise RuntimeError("no cgroup2 mounted")


class Cgroup:
    """Counts the CPU time of all of a rival's processes, dead or alive."""

    def __init__(self):
        self.path = f"{cgroup_root()}/{CGROUP_NAME}-{os.getpid()}"

    def __enter__(self):
        os.mkdir(self.path)
        return self

    def __exit__(self, *_):
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        for _ in range(100):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.02)

    def join(self):
        with open(f"{self.path}/cgroup.procs", "w", encoding="ascii") as f:
            f.write(str(os.getpid()))

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

    def run(self, folder, command, rate, targets, limit=300, watch=False):
        """Runs to the end (or, watching memory, until it grows no more) and measures."""
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
                if watch:
                    end(child, group)
                _, complaint = child.communicate(timeout=limit)
            finally:
                end(child, group)
            wall = time.monotonic() - begin
            cpu = group.cpu_seconds()
        if child.returncode != 0 and not watch:
            raise RuntimeError(f"{self.name} -p {rate} -c '{command}': exit {child.returncode}: {complaint[:500]}")
        return Result(out, cpu, wall, memory)

    @staticmethod
    def prepare(group):
        group.join()
        lab.inside(lab.NEAR)
        os.sched_setaffinity(0, {lab.CPU_RIVAL})
        os.setpriority(os.PRIO_PROCESS, 0, -20)  # of a machine that others may share


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
