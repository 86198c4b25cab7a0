"""`vantage -U` and `-P`, with and without -D: the pair stays up and serves."""
import os
import signal
import socket
import subprocess
import time

import pytest

import lab as net
import pair as pair_module
from test_service import gone, tables

PORT = 31337


@pytest.fixture
def daemon(lab, tmp_path):
    """Starts one with -D; ends it, and shows that nothing is left."""
    pids = []
    pid_file = str(tmp_path / "pid")

    def run(args):
        done = lab.run("t", pair_module.private_argv(["-D", "-e", pid_file, *args]), timeout=10)
        if done.returncode == 0:
            with open(pid_file) as text:
                pids.append(int(text.read()))
        return done

    run.pid_file, run.pids = pid_file, pids
    yield run
    for pid in pids:
        if not gone(pid, 0.01):
            os.kill(pid, signal.SIGTERM)
        assert gone(pid)
    deadline = time.monotonic() + 8
    while pids and time.monotonic() < deadline and (
            "vantage" in tables(lab) or os.path.exists(pid_file)):
        time.sleep(0.05)
    assert "vantage" not in tables(lab)
    assert not os.path.exists(pid_file)


def talk(sock, text, lines):
    stream = sock.makefile("rwb", buffering=0)
    stream.write(text.encode())
    return [stream.readline().decode() for _ in range(lines)]


def unix(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(path)
    return sock


def tcp(lab, port=PORT):
    def connect():
        return socket.create_connection(("127.0.0.1", port), 10)

    return net.in_netns(lab.name("t"), connect)


def loopback_up(lab):
    lab.run("t", ["ip", "link", "set", "lo", "up"])


def test_unix_in_the_background(daemon, tmp_path):
    path = str(tmp_path / "control")
    done = daemon(["-U", path, "-p", "321", "-w", "7", "-M", "here", "-c", "ping -c 2"])
    assert done.returncode == 0 and done.stderr == "", done
    with unix(path) as sock:
        said = talk(sock, "get pid\nget pps\nget window\nget monitorname\nget command\nset pps 500\n", 6)
    assert said == ["OK pid %d\n" % daemon.pids[0], "OK pps 321\n", "OK window 0/7\n",
                    "OK monitorname here\n", "OK command ping -c 2\n", "OK pps 500\n"]
    with open("/proc/%d/status" % daemon.pids[0]) as status:
        assert "\nCapEff:\t0000000000000000\n" in status.read()
    os.kill(daemon.pids[0], signal.SIGTERM)
    assert gone(daemon.pids[0])
    deadline = time.monotonic() + 8
    while os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists(path)


def test_shutdown_ends_it(daemon, tmp_path):
    path = str(tmp_path / "control")
    assert daemon(["-U", path]).returncode == 0
    with unix(path) as sock:
        talk(sock, "shutdown done\n", 1)
    assert gone(daemon.pids[0])


def test_tcp_is_on_loopback_and_of_the_default_slice(lab, daemon):
    loopback_up(lab)
    assert daemon(["-P", str(PORT)]).returncode == 0
    listening = [line.split()[3] for line in lab.run("t", ["ss", "-Hltn"]).stdout.splitlines()]
    assert listening == ["127.0.0.1:%d" % PORT]
    with tcp(lab) as sock:
        assert talk(sock, "get pps\nset pps 5\n", 2) == [
            "OK pps 20\n", "ERR not permitted: set pps is for operators\n"]


@pytest.mark.parametrize("mode", ["unix", "tcp"])
def test_debians_client_attaches(lab, daemon, tmp_path, mode):
    loopback_up(lab)
    path, out = str(tmp_path / "control"), str(tmp_path / "out.warts")
    commands = tmp_path / "commands"
    commands.write_text("ping -c 2 -i 0.1 %s\ntrace -P icmp-paris -q 1 -w 1 %s\n" % (net.DST[4], net.DST[6]))
    assert daemon(["-U", path, "-P", "127.0.0.1:%d" % PORT, "-p", "1000"]).returncode == 0
    where = ["-U", path] if mode == "unix" else ["-p", str(PORT)]
    done = lab.run("t", ["sc_attach", "-i", str(commands), "-o", out, *where], timeout=60)
    assert done.returncode == 0, done
    dump = subprocess.run(["sc_warts2json", out], capture_output=True, text=True)
    found = pair_module.records(dump.stdout)
    assert sorted(r["type"] for r in found) == ["ping", "trace"]


def test_data_headers_have_ids_when_asked_for(daemon, tmp_path):
    path = str(tmp_path / "control")
    assert daemon(["-U", path, "-O", "data-id", "-p", "1000"]).returncode == 0
    with unix(path) as sock:
        stream = sock.makefile("rwb", buffering=0)
        stream.write(b"attach\nping -c 1 -o 1 %s\ndone\n" % net.DST[4].encode())
        said = stream.read().decode()
    assert " id-1\n" in said.split("OK id-1\n")[1]


def test_in_the_foreground_a_signal_ends_it(lab, tmp_path):
    path = str(tmp_path / "control")
    child = lab.popen("t", pair_module.private_argv(["-U", path]), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 15
    while not os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.05)
    with unix(path) as sock:
        assert talk(sock, "get pps\n", 1) == ["OK pps 20\n"]
    child.send_signal(signal.SIGINT)
    assert child.wait(10) == 0
    assert not os.path.exists(path) and "vantage" not in tables(lab)


def test_what_cannot_be_is_said(lab, daemon, tmp_path):
    taken = socket.socket(socket.AF_UNIX)
    taken.bind(str(tmp_path / "taken"))
    taken.listen()
    for args, status, words in (
            (["-U", str(tmp_path / "taken")], 73, "a service listens there already"),
            (["-P", "nonsense"], 78, "is not [ip:]port"),
            (["-U", "/x", "-i"], 64, "-i, -I and -f have no place beside"),
            (["-U", "/x", "-o", "f"], 64, "-o has no place beside -U and -P"),
            (["-U", "/x", "192.0.2.1"], 64, "is left over"),
            (["-i", "192.0.2.1"], 64, "needs -U or -P")):
        done = daemon(args)
        assert done.returncode == status and words in done.stderr, (args, done)
    assert os.path.exists(tmp_path / "taken")
