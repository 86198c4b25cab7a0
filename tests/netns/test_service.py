"""The pair as it runs: who it is, what it may do, what it leaves behind."""
import os
import signal
import socket
import subprocess
import time

import pytest

import lab as net
import pair as pair_module

NET_RAW, NET_ADMIN = 1 << 13, 1 << 12


def status(pid):
    with open("/proc/%d/status" % pid) as lines:
        return {k: v.strip() for k, v in (line.split(":", 1) for line in lines)}


def uid_of(name):
    out = subprocess.run(["id", "-u", name], capture_output=True, text=True)
    return int(out.stdout)


def tables(lab, node="t"):
    return lab.run(node, ["nft", "list", "tables"]).stdout


def processes(needle):
    """The processes whose command line holds a word of this test's own."""
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as cmdline:
                if needle.encode() in cmdline.read():
                    out.append(int(pid))
        except OSError:
            pass
    return [p for p in out if p != os.getpid()]


def gone(pid, seconds=5):
    """Whether a process ends in time; one that has ended but is not yet
    reaped counts as gone."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if status(pid)["State"].startswith("Z"):
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_worker_has_nothing(pair):
    it = status(pair.worker_pid())
    assert set(map(int, it["Uid"].split())) == {uid_of("vantage")}
    assert it["Groups"] == "" or set(it["Groups"].split()) == {it["Gid"].split()[0]}
    for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(it[caps], 16) == 0, caps
    assert (it["NoNewPrivs"], it["Seccomp"], it["Threads"]) == ("1", "2", "1")


def test_worker_has_no_network_and_no_files(pair):
    pid = pair.worker_pid()
    own = os.readlink("/proc/%d/ns/net" % pid)
    assert own != os.readlink("/proc/%d/ns/net" % pair.privd.pid)
    with open("/proc/%d/net/dev" % pid) as dev:
        names = [line.split(":")[0].strip() for line in dev if ":" in line]
    assert names == ["lo"]
    assert os.readlink("/proc/%d/root" % pid) != "/"


def test_helper_has_two_capabilities_and_is_not_root(pair):
    it = status(pair.privd.pid)
    assert set(map(int, it["Uid"].split())) == {uid_of("vantage-priv")}
    assert int(it["CapEff"], 16) == int(it["CapPrm"], 16) == NET_RAW | NET_ADMIN
    assert int(it["CapBnd"], 16) & ~(NET_RAW | NET_ADMIN) == 0
    assert int(it["CapAmb"], 16) & ~(NET_RAW | NET_ADMIN) == 0
    assert (it["NoNewPrivs"], it["Seccomp"], it["Threads"]) == ("1", "2", "1")


@pytest.mark.parametrize("name", ["vantage-privd", "vantage-workerd"])
def test_sandbox_is_printed(name):
    done = subprocess.run([pair_module.program(name), "--print-sandbox"],
                          capture_output=True, text=True)
    assert done.returncode == 0
    assert "recvmsg" in done.stdout and "execve" not in done.stdout.split()


def test_nothing_executable_is_setuid():
    for name in ("vantage", "vantage-privd", "vantage-workerd"):
        assert os.stat(pair_module.program(name)).st_mode & 0o6000 == 0
        assert "security.capability" not in os.listxattr(pair_module.program(name))


def test_clean_stop_leaves_nothing(lab):
    with pair_module.Vantage(lab, node="t") as it:
        worker = it.worker_pid()
        assert "vantage" in tables(lab)
        it.one("ping -c 1 -o 1 " + net.DST[4])
        assert it.stop() == 0, it.log()
        assert gone(worker)
        assert "vantage" not in tables(lab)
        assert processes(it.dir) == []


def test_second_interrupt_is_as_good_as_the_first(lab):
    with pair_module.Vantage(lab, node="t") as it:
        worker = it.worker_pid()
        it.privd.send_signal(signal.SIGINT)
        it.stop(signal.SIGINT)
        assert gone(worker)


def test_two_users_at_once(pair):
    """Each gets its own results, whoever else runs."""
    one = pair.popen(["-O", "json", "-I", "ping -c 10 -i 0.1 -U 1 " + net.DST[4]],
                     stdout=subprocess.PIPE, text=True)
    two = pair.cli(["-O", "json", "-I", "ping -c 2 -i 0.1 -U 2 " + net.DST[6]], uid=65533)
    out, _ = one.communicate(timeout=30)
    assert [r["userid"] for r in pair_module.records(out)] == [1]
    assert [r["userid"] for r in pair_module.records(two.stdout)] == [2]


def test_client_that_goes_away_stops_its_tasks(pair, recorder):
    dst = net.ALIAS[4]
    child = pair.popen(["-I", "ping -c 1000 -i 0.1 " + dst], stdout=subprocess.DEVNULL)
    time.sleep(1)
    child.kill()
    child.wait()
    time.sleep(0.3)
    before = len(recorder.probes(dst=dst))
    time.sleep(1)
    assert before > 0 and len(recorder.probes(dst=dst)) == before


@pytest.mark.parametrize("form", ["text", "json", "warts"])
def test_interrupt_writes_nothing_of_what_has_not_begun(pair, form):
    """The same twice: the second waits for the first, and is halted before it
    has sent anything."""
    out = os.path.join(pair.dir, "interrupted")
    commands = ["ping -c 100 " + net.DST[4]] * 2 + ["trace -w 10 -q 20 " + net.DROPPED[4]] * 2
    with open(out, "wb") as output:
        child = pair.popen(["-O", form, "-I", *commands], stdout=output)
        time.sleep(1.5)
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 130
    with open(out, errors="replace") as text:
        said = text.read()
    if form == "text":
        assert (said.count("ping from"), said.count("traceroute from")) == (1, 1), said
        assert " to " + net.DST[4] in said and "ping to" not in said and "traceroute to" not in said
        return
    if form == "warts":
        said = subprocess.run([pair.client, "dump", out], capture_output=True, text=True, check=True).stdout
    lines = said.splitlines()
    assert '"cycle-start"' in lines[0] and '"cycle-stop"' in lines[-1], said
    found = {r["type"]: r for r in pair_module.records(said)}
    assert len(lines) == 4 and found["ping"]["ping_sent"] >= 1 and found["trace"]["probe_count"] >= 1


def attach(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(path)
    return sock, sock.makefile("rwb", buffering=0)


def test_control_socket_speaks_first_of_nothing(pair):
    sock, stream = attach(pair.socket)
    with sock, stream:
        stream.write(b"get version\r\n")
        assert stream.readline().startswith(b"OK version ")
        stream.write(b"frobnicate\n")
        assert stream.readline() == b"ERR unhandled command 'frobnicate'\n"
        stream.write(b"exit\n")
        assert stream.read() == b""


def test_attach_halts_and_finishes_in_order(pair):
    sock, stream = attach(pair.socket)
    with sock, stream:
        stream.write(b"attach\n")
        assert stream.readline() == b"OK\n"
        stream.write(b"ping -c 100 -i 0.2 %s\n" % net.DST[4].encode())
        lines = []
        while b"OK id-1\n" not in lines:
            lines.append(stream.readline())
        stream.write(b"halt 1\n")
        while b"OK halted 1\n" not in lines:
            lines.append(stream.readline())
        stream.write(b"ping -c 0 192.0.2.1\ndone\n")
        rest = stream.read()
        assert b"ERR command not accepted" in rest
        assert rest.count(b"\nDATA ") >= 1 or rest.startswith(b"DATA ")


def test_hostile_line_ends_that_session_alone(pair):
    sock, stream = attach(pair.socket)
    with sock, stream:
        stream.write(b"get \x01version\n")
        assert b"ERR invalid character in line" in stream.read()
    assert pair.one("ping -c 1 -o 1 " + net.DST[4])["statistics"]["replies"] == 1
