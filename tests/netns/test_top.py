"""What an operator and others see of a service: `vantage status` and `top`."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

import pair as pair_module
from test_slices import ALICE, BOB, CONF, LOW, end, start


@pytest.fixture
def service(lab):
    with pair_module.Vantage(lab, node="t", conf=CONF + "pps 1000\n") as pair:
        yield pair


def status(pair, uid):
    done = pair.cli(["status", "--json"], uid=uid)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def test_operators_see_all_and_others_their_own(service):
    alice = start(service, ALICE, LOW, "0.01")
    try:
        time.sleep(2.5)
        root = status(service, 0)
        assert root["operator"] and root["pps"] == 1000
        assert root["engine"]["sent"] > 1000 and root["drops"]["ring"] == 0
        slices = {s["name"]: s for s in root["slices"]}
        assert set(slices) == {"operators", "default", "alpha", "beta", "gamma"}
        assert slices["alpha"]["rate"] == pytest.approx(1000, rel=0.05)
        assert 0 < slices["alpha"]["active"] <= slices["alpha"]["running"] == len(LOW)
        assert slices["beta"]["part"] == 428 and slices["beta"]["rate"] == 0
        (source,) = root["sources"]
        assert source["uid"] == ALICE and source["slice"] == "alpha"

        hers = status(service, ALICE)
        assert [s["name"] for s in hers["slices"]] == ["alpha"]
        assert hers["sources"][0]["name"] == source["name"] and "engine" not in hers

        his = status(service, BOB)
        assert [s["name"] for s in his["slices"]] == ["beta"] and his["sources"] == []
        assert source["name"] not in json.dumps(his)
        table = service.cli(["status"], uid=0).stdout
        assert re.search(r"^alpha +1 ", table, re.M) and source["name"][-15:] in table
    finally:
        end(alice)


def test_without_a_service_status_says_so(service):
    done = service.lab.run("t", [service.client, "--socket", service.dir + "/none", "status"])
    assert done.returncode == 69 and "no service at" in done.stderr
    done = service.cli(["status", "-p", "5"])
    assert done.returncode == 64 and "status has no such option" in done.stderr


def test_top_prints_lines_where_there_is_no_terminal(service):
    child = service.popen(["top"], uid=0, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        lines = [child.stdout.readline() for _ in range(10)]
        assert all(re.match(r"\d\d:\d\d:\d\d \w+ part \d+ rate \d+ active", line) for line in lines)
        assert len({line.split()[0] for line in lines}) >= 2
        child.send_signal(signal.SIGINT)
        assert child.wait(5) == 0
    finally:
        end(child)


class Terminal:
    """A pseudo terminal of 80 by 24 with `vantage top` on it."""

    def __init__(self, pair, uid):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.child = pair.popen(["top"], uid=uid, stdin=self.slave, stdout=self.slave)
        self.seen = ""

    def until(self, needle, seconds=6):
        deadline = time.monotonic() + seconds
        while needle not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, (needle, self.seen[-3000:])
            if select.select([self.master], [], [], left)[0]:
                self.seen += os.read(self.master, 65536).decode()

    def press(self, keys):
        self.seen = ""
        os.write(self.master, keys.encode())

    def restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        end(self.child)
        for fd in (self.master, self.slave):
            os.close(fd)


@contextlib.contextmanager
def terminal(pair, uid):
    term = Terminal(pair, uid)
    try:
        yield term
    finally:
        term.close()


def test_top_filters_and_halts_ones_own(service):
    alice = start(service, ALICE, LOW, "0.01")
    try:
        time.sleep(1)
        with terminal(service, ALICE) as term:
            term.until("q quit")
            term.until("control.sock:")
            rows = [int(r) for r in re.findall(r"\033\[(\d+);1H", term.seen)]
            assert max(rows) == 24
            plain = re.sub(r"\033\[[0-9;?]*[A-Za-z]", "\n", term.seen)
            assert max(map(len, plain.split("\n"))) <= 80
            term.press("/zzz\r")
            term.until("filter: zzz")
            term.press("/\r")
            term.press("h")
            term.until("halt all of ")
            term.press("y")
            term.until("halted %d of" % len(LOW))
            assert alice.wait(10) == 0
            term.press("q")
            assert term.child.wait(5) == 0
            term.until("\033[?1049l")
            assert term.restored()
    finally:
        end(alice)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_top_gives_the_terminal_back(service, sig):
    with terminal(service, BOB) as term:
        term.until("q quit")
        assert not term.restored()
        term.child.send_signal(sig)
        assert term.child.wait(5) == 0
        term.until("\033[?25h\033[?1049l")
        assert term.restored()


def test_top_ends_when_the_service_does(service):
    with terminal(service, BOB) as term:
        term.until("q quit")
        service.stop()
        assert term.child.wait(10) == 69
        assert term.restored()
