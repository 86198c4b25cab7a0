"""The programs of Debian's `scamper` package, run as an ordinary user against
a control socket: vantage's by UNIX and by TCP, and Debian's own scamper by TCP
in the same place, which shows what the client would have said."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import lab as net
import pair as pair_module

OURS = ("unix", "tcp")
ALL = OURS + ("debian",)
PORT = {"tcp": 31337, "debian": 31338}
NODE = "t"

# sc_bdrmap passes documentation addresses over. So D has one of AS112's
# (RFC 7534, RFC 7535), and R5 answers from another: a border for it to see.
FAR, NEAR = "192.175.48.0/24", "192.31.196.0/24"
FAR_HOST, NEAR_ROUTER = "192.175.48.1", "192.31.196.5"


def changes():
    """To the lab, while this lasts: node, what is done, how it is undone."""
    for node, (forward, _) in net.ROUTES.items():
        for prefix in (FAR, NEAR) if forward else ():
            route = "%s %s" % (prefix, " ".join("nexthop via " + net.LINKS[link][3 + side]
                                                for link, side in forward))
            yield node, "route add " + route, "route del " + route
    for node, what in (("r5", "route %%s %s via %s" % (FAR, net.DST[4])),
                       ("r5", "addr %%s %s/32 dev l8" % NEAR_ROUTER), ("d", "addr %%s %s/32 dev l8" % FAR_HOST)):
        yield node, what % "add", what % "del"
    back = "route replace 192.0.2.0/24 via " + net.LINKS[7][3]
    yield "r5", back + " src " + NEAR_ROUTER, back


class Run:
    """One program, from its start to its end, in a folder of its own."""
    def __init__(self, the_lab, where, argv, files, ends):
        self.folder = tempfile.mkdtemp(prefix="vl-debian-")
        self.ends = ends        # None, or called until true; then it is told to end
        os.chmod(self.folder, 0o777)
        for name, text in files.items():
            with open(self.path(name), "w") as out:
                out.write(text)
        with open(self.path("stdout"), "w") as out, open(self.path("stderr"), "w") as err:
            self.child = the_lab.popen(NODE, pair_module.as_user([*argv, *where]), cwd=self.folder,
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        self.deadline = time.monotonic() + 60

    def path(self, name):
        return os.path.join(self.folder, name)

    def await_path(self, name):
        while not os.path.exists(self.path(name)):
            assert self.child.poll() is None and time.monotonic() < self.deadline, self.all()
            time.sleep(0.02)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), errors="replace") as text:
            return text.read()

    def names(self, suffix):
        return sorted(n for n in os.listdir(self.folder) if n.endswith(suffix))

    def wait(self):
        """Its status; it must come to its end by itself unless `ends` says."""
        if self.ends is not None and self.child.poll() is None:
            while not self.ends(self):
                assert time.monotonic() < self.deadline, self.all()
                time.sleep(0.05)
            self.child.terminate()
        return self.child.wait(max(1, self.deadline - time.monotonic()))

    def all(self):
        return {n: self.read(n)[-2000:] for n in os.listdir(self.folder)
                if n in ("stdout", "stderr", "log")}

    def log(self):
        """What it logged, without the times."""
        return [line.split(": ", 1)[-1] for line in self.read("log").splitlines()]

    def records(self, *names):
        return read_records(*(self.path(n) for n in names or ["out.warts"]))

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Servers:
    """A pair with UNIX and TCP sockets, and Debian's scamper, on one host."""
    def __init__(self, the_lab):
        self.lab = the_lab
        self.pair = pair_module.Vantage(the_lab, node=NODE, conf="listen 127.0.0.1:%d\n" % PORT["tcp"])
        self.runs = []

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            for node, do, back in changes():
                net.ip_batch([do], self.lab.name(node))
                undo.callback(net.ip_batch, [back], self.lab.name(node))
            undo.enter_context(self.pair)
            # Both take their default ports from their process id: with ids near to
            # each other one would take the other's replies.
            scamper = self.lab.popen(NODE, ["unshare", "--pid", "--fork", "scamper",
                                            "-p", "1000", "-P", str(PORT["debian"])],
                                     stderr=subprocess.DEVNULL)
            undo.callback(self.end_scamper, scamper)
            net.in_netns(self.lab.name(NODE), self.await_scamper)
            self.undo = undo.pop_all()
        return self

    @staticmethod
    def end_scamper(unshare):
        """Its first process takes all others of their namespace along. It does not
        end with who started it: a change of uid ends that promise (prctl(2))."""
        with open("/proc/%d/task/%d/children" % (unshare.pid, unshare.pid)) as children:
            for child in children.read().split():
                os.kill(int(child), signal.SIGKILL)
        unshare.wait()

    @staticmethod
    def await_scamper():
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", PORT["debian"]), 1).close()
                return
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def __exit__(self, *exc):
        for run in self.runs:
            run.close()
        self.undo.close()

    def at(self, where):
        """The options by which a client finds a server."""
        return ["-U", self.pair.socket] if where == "unix" else ["-p", str(PORT[where])]

    def start(self, where, argv, files=None, ends=None):
        self.runs.append(Run(self.lab, self.at(where), argv, files or {}, ends))
        return self.runs[-1]


def read(argv, *paths):
    """What one of the package's readers says of files."""
    done = subprocess.run([*argv, *paths], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, (argv, done)
    return done.stdout


def read_records(*paths):
    return pair_module.records(read(["sc_warts2json"], *paths))


def essence(record):
    """What two runs must say alike: no times, no ids, no ports of their own."""
    out = {k: record.get(k) for k in ("type", "method", "src", "dst", "userid", "stop_reason",
                                      "ping_sent", "probe_size", "hop_count")}
    out["replies"] = [tuple(r.get(k) for k in ("from", "reply_size", "reply_ttl", "icmp_type",
                                               "icmp_code", "tcp_flags"))
                      for r in record.get("responses", [])]
    out["hops"] = [tuple(h.get(k) for k in ("addr", "probe_ttl", "icmp_type", "icmp_code", "reply_ttl"))
                   for h in record.get("hops", [])]
    return out


def essences(records):
    return sorted(map(essence, records), key=lambda e: (e["dst"], e["method"], e["userid"] or 0))
