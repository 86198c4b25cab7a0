"""Who probes in the lab: the real sandboxed pair with its client, or Debian's
scamper as the yardstick.  Both answer the same call, run(commands)."""
import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time

import lab

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("VANTAGE_BUILD", os.path.join(TOP, "build"))
NOBODY = 65534
ENVELOPE = ("cycle-start", "cycle-stop", "cycle-def", "list")


def program(name):
    """Where the build puts a program; design.md fixes these names."""
    folder = {"vantage": "client", "vantage-privd": "privd",
              "vantage-workerd": "workerd"}[name]
    return os.path.join(BUILD, folder, name)


def as_user(argv, uid=NOBODY):
    return ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups",
            "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"] + argv


def records(text):
    """JSON lines to measurement records, in the order in which they ended."""
    return [r for r in map(json.loads, filter(None, text.splitlines()))
            if r.get("type") not in ENVELOPE]


class ProbeError(Exception):
    """A run that did not end as it should; the text says all of it."""


class Scamper:
    """Debian's scamper 20211212, as root (it drops its own rights)."""
    name = "scamper"

    def __init__(self, the_lab):
        self.lab = the_lab

    def run(self, commands, fmt="json", extra=(), pps=1000, timeout=60):
        done = self.lab.run("s", ["scamper", "-p", str(pps), "-O", fmt, *extra,
                                  "-I", *commands], timeout=timeout)
        if done.returncode != 0:
            raise ProbeError("scamper: %r" % done)
        return records(done.stdout) if fmt == "json" else done.stdout

    def one(self, command, **kw):
        (record,) = self.run([command], **kw)
        return record


class Vantage:
    """privd and its worker in the namespace of S, started by root; clients
    are run as `nobody` and have nothing but the control socket."""
    name = "vantage"

    def __init__(self, the_lab, options=(), node="s", conf=""):
        self.lab, self.options, self.node = the_lab, list(options), node
        # The twenty packets a second of a fresh installation are for others'
        # networks, not for the lab.
        self.conf = "max-pps 100000\npps 100000\n" + conf
        self.privd = None

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="vantage-lab-%d-" % os.getpid())
        os.chmod(self.dir, 0o755)
        self.log_path = os.path.join(self.dir, "log")
        self.socket = os.path.join(self.dir, "run", "control.sock")
        self.conf_path = os.path.join(self.dir, "vantage.conf")
        with open(self.conf_path, "w") as conf:
            conf.write(self.conf)
        # Ordinary users may not be able to look into the build directory.
        self.client = os.path.join(self.dir, "vantage")
        shutil.copy(program("vantage"), self.client)
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        with open(self.log_path, "ab") as log:
            self.privd = self.lab.popen(
                self.node, [program("vantage-privd"), "--foreground", "-c",
                            self.conf_path, "--socket", self.socket, *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 15
        while True:
            if self.privd.poll() is not None or time.monotonic() > deadline:
                raise ProbeError("the pair did not come up: " + self.log())
            with contextlib.suppress(OSError), \
                    socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(2)
                probe.connect(self.socket)
                probe.sendall(b"get version\n")
                if probe.recv(64).startswith(b"OK version"):
                    return
            time.sleep(0.02)

    def __exit__(self, *exc):
        if self.privd is not None:
            self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def stop(self, sig=signal.SIGTERM, timeout=10):
        """End the pair and return privd's status."""
        if self.privd.poll() is None:
            self.privd.send_signal(sig)
        try:
            return self.privd.wait(timeout)
        except subprocess.TimeoutExpired:
            self.privd.kill()
            self.privd.wait()
            raise ProbeError("privd did not stop: " + self.log()) from None

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def worker_pid(self):
        children = "/proc/%d/task/%d/children" % (self.privd.pid, self.privd.pid)
        with open(children) as listing:
            pids = listing.read().split()
        if len(pids) != 1:
            raise ProbeError("privd has the children %r: %s" % (pids, self.log()))
        return int(pids[0])

    def argv(self, args, uid=NOBODY):
        return as_user([self.client, "--socket", self.socket, *args], uid)

    def cli(self, args, uid=NOBODY, **kw):
        """The client as it is, with its status and both outputs."""
        kw.setdefault("cwd", "/")
        return self.lab.run(self.node, self.argv(args, uid), **kw)

    def popen(self, args, uid=NOBODY, **kw):
        kw.setdefault("cwd", "/")
        return self.lab.popen(self.node, self.argv(args, uid), **kw)

    def run(self, commands, fmt="json", extra=(), pps=1000, timeout=60):
        done = self.cli(["-p", str(pps), "-O", fmt, *extra, "-I", *commands],
                        timeout=timeout)
        if done.returncode != 0:
            raise ProbeError("vantage ended with %d: %s%s\nlog: %s" % (
                done.returncode, done.stdout, done.stderr, self.log()))
        return records(done.stdout) if fmt == "json" else done.stdout

    one = Scamper.one


def private_argv(args):
    """`vantage` as root with no service: it starts a pair of its own.  A
    service of this machine is out of sight of the lab."""
    hide = 'if [ -d /run/vantage ]; then mount -t tmpfs none /run/vantage; fi; exec "$@"'
    return ["unshare", "-m", "env", "-u", "VANTAGE_SOCKET", "sh", "-c", hide, "sh",
            program("vantage"), *args]


def private(the_lab, args, node="t", **kw):
    return the_lab.run(node, private_argv(args), **kw)


def is_socket(path):
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def built():
    return all(os.access(program(n), os.X_OK)
               for n in ("vantage", "vantage-privd", "vantage-workerd"))


__all__ = ["BUILD", "NOBODY", "TOP", "ProbeError", "Scamper", "Vantage", "as_user",
           "built", "is_socket", "lab", "private", "private_argv", "program", "records"]
