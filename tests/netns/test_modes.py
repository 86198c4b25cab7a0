"""`vantage -U` and `-P`, with and without -D: the pair stays up and serves."""
import contextlib
import json
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

import lab as net
import pair as pair_module
from test_service import gone, status, tables
from test_sources import Control, addresses, targets, wait_for

PORT = 31337


def privd_of(worker):
    """The next pair of this network starts when the helper has ended too."""
    return int(status(worker)["PPid"])


@pytest.fixture
def daemon(lab, tmp_path):
    """Starts one with -D; ends it, and shows that nothing is left."""
    pids, helpers = [], []
    pid_file = str(tmp_path / "pid")

    def run(args):
        done = lab.run("t", pair_module.private_argv(["-D", "-e", pid_file, *args]), timeout=10)
        if done.returncode == 0:
            with open(pid_file) as text:
                pids.append(int(text.read()))
            helpers.append(privd_of(pids[-1]))
        return done

    run.pid_file, run.pids = pid_file, pids
    yield run
    for pid in pids:
        if not gone(pid, 0.01):
            os.kill(pid, signal.SIGTERM)
        assert gone(pid)
    for helper in helpers:
        assert gone(helper)
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
            (["-U", "/x", "-l", "f"], 64, "-l has no place beside -U and -P"),
            (["-U", "/x", "-i"], 64, "-i, -I and -f have no place beside"),
            (["-U", "/x", "-D", "-o", "-"], 64, "-D leaves standard output behind"),
            (["-U", "/x", "-O", "json"], 64, "needs -o FILE"),
            (["-U", "/x", "-o", "/nowhere/f"], 73, "cannot create '/nowhere/f'"),
            (["-i", "192.0.2.1", "-O", "outcopy"], 64, "needs -U or -P"),
            (["-U", "/x", "192.0.2.1"], 64, "is left over"),
            (["-i", "192.0.2.1"], 64, "needs -U or -P")):
        done = daemon(args)
        assert done.returncode == status and words in done.stderr, (args, done)
    assert os.path.exists(tmp_path / "taken")


# ---- the default output ----

class Serving:
    """`vantage -U` in the foreground, over a data directory of its own."""
    hide = 'mount -t tmpfs none /var/lib && mkdir /var/lib/vantage && ' \
           'mount --bind "$1" /var/lib/vantage && shift && exec "$@"'

    def __init__(self, lab):
        self.lab, self.child = lab, None
        self.dir = tempfile.mkdtemp(prefix="vantage-vm-")
        self.data, self.socket = os.path.join(self.dir, "data"), os.path.join(self.dir, "control")
        self.out = os.path.join(self.dir, "out")
        who = pwd.getpwnam("vantage")
        os.mkdir(self.data, 0o700)
        os.chown(self.data, who.pw_uid, who.pw_gid)

    def start(self, args, **kw):
        argv = pair_module.private_argv(["-U", self.socket, "-p", "2000", *args])
        kw = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": self.dir, **kw}
        self.child = self.lab.popen("t", ["unshare", "-m", "sh", "-c", self.hide, "sh", self.data, *argv], **kw)
        wait_for(lambda: self.child.poll() is not None or os.path.exists(self.socket))
        assert self.child.poll() is None, self.child.communicate()
        return Control(self.socket)

    def list(self, lines):
        with open(os.path.join(self.data, "l"), "w") as out:
            out.writelines(line + "\n" for line in lines)
        os.chmod(os.path.join(self.data, "l"), 0o644)

    def worker(self):
        ctl = Control(self.socket)
        pid = int(ctl.say("get pid").split()[2])
        ctl.close()
        return pid

    def measure(self, ctl, lines, keys=""):
        self.list(lines)
        assert ctl.say('source add name s command "ping -c 1 -W 1" file l ' + keys) == "OK source added"
        wait_for(lambda: ctl.say("source list") == "OK")

    def end(self):
        self.child.send_signal(signal.SIGTERM)
        out, err = self.child.communicate(timeout=15)
        return self.child.returncode, out, err

    def path(self, name):
        return os.path.join(self.dir, name)


@pytest.fixture
def serving(lab):
    it = Serving(lab)
    yield it
    if it.child is not None and it.child.poll() is None:
        it.end()
    shutil.rmtree(it.dir, ignore_errors=True)


def read_warts(path):
    done = subprocess.run([pair_module.program("vantage"), "dump", path], capture_output=True, text=True)
    assert done.returncode == 0, done
    return [json.loads(line) for line in done.stdout.splitlines()]


def printed(text):
    return [name.rstrip(":") for name in targets(text)]


def ping_by_socket(serving, dst):
    """A client beside the sources has its measurement taken, and its end."""
    client = Control(serving.socket)
    client.stream.write(b"attach\nping -c 1 %s\ndone\n" % dst.encode())
    assert b"OK id-1" in client.read()
    client.close()


def destinations(records):
    return sorted(r["dst"] for r in records if r["type"] == "ping")


def test_results_go_to_standard_output(serving):
    """Text without more words, and named as in the reference."""
    ctl = serving.start([])
    assert ctl.say("outfile list") == "INFO '-' file '-' refcnt 1\nOK"
    serving.measure(ctl, [net.DST[4], net.ALIAS[4]])
    ctl.close()
    status, out, _ = serving.end()
    assert status == 0 and printed(out.decode()) == [net.DST[4], net.ALIAS[4]]


@pytest.mark.parametrize("how", ["text", "json", "warts", "warts.gz", "warts.bz2", "warts.xz"])
def test_every_format_of_the_default_output(serving, how):
    todo = addresses(300)
    ctl = serving.start(["-o", "out", "-O", how])
    assert ctl.say("outfile list") == "INFO 'out' file 'out' refcnt 1\nOK"
    serving.measure(ctl, todo)
    ctl.close()
    assert serving.end()[0] == 0
    if how == "text":
        with open(serving.out) as text:
            found = sorted(printed(text.read()))
    elif how == "json":
        with open(serving.out) as text:
            found = destinations(map(json.loads, text))
    else:
        found = destinations(read_warts(serving.out))
    assert found == sorted(todo)


def test_the_suffix_tells_the_format_and_old_content_goes(serving):
    with open(serving.path("x.json"), "w") as old:
        old.write("something old\n")
    ctl = serving.start(["-o", "x.json"])
    serving.measure(ctl, [net.DST[4]])
    ctl.close()
    assert serving.end()[0] == 0
    with open(serving.path("x.json")) as text:
        kinds = [json.loads(line)["type"] for line in text]
    assert kinds == ["cycle-start", "ping", "cycle-stop"]


def test_the_default_output_is_swapped_and_closed(serving):
    todo = addresses(3000)
    ctl = serving.start(["-o", "out", "-O", "warts"])
    serving.list(todo)
    assert ctl.say("outfile open name a file a.warts mode truncate") == "OK"
    assert ctl.say('source add name s command "ping -c 1 -W 1" file l') == "OK source added"
    time.sleep(1.8)    # the first of these silent ones end after a second
    assert ctl.say("outfile swap out a") == "OK"
    assert ctl.say("outfile list") == "INFO 'a' file 'out' refcnt 1\nINFO 'out' file 'a.warts' refcnt 2\nOK"
    assert ctl.say("outfile close a") == "OK"
    first = destinations(read_warts(serving.out))
    wait_for(lambda: ctl.say("source list") == "OK")
    assert ctl.say("outfile close out") == "OK"
    rest = destinations(read_warts(os.path.join(serving.data, "a.warts")))
    assert len(first) > 100 and len(rest) > 100 and sorted(first + rest) == sorted(todo)
    assert ctl.say("outfile list") == "OK"
    ctl.close()


def test_outcopy_has_all_results(serving):
    ctl = serving.start(["-o", "all.warts", "-O", "outcopy"])
    assert ctl.say("outfile open name a file a.json format json mode truncate") == "OK"
    serving.measure(ctl, [net.DST[4], net.ALIAS[4]], "outfile a")
    ping_by_socket(serving, net.DST[6])
    ctl.close()
    assert serving.end()[0] == 0
    with open(os.path.join(serving.data, "a.json")) as text:
        assert destinations(map(json.loads, text)) == sorted([net.DST[4], net.ALIAS[4]])
    assert destinations(read_warts(serving.path("all.warts"))) == sorted([net.DST[4], net.ALIAS[4], net.DST[6]])


def test_a_copy_needs_no_data_directory(daemon, tmp_path):
    path, out = str(tmp_path / "control"), str(tmp_path / "out.json")
    done = daemon(["-U", path, "-p", "1000", "-o", out, "-O", "outcopy"])
    assert done.returncode == 0 and done.stderr == "", done
    ctl = Control(path)
    assert ctl.say("outfile list") == "INFO '%s' file '%s' refcnt 1\nOK" % (out, out)
    if not os.path.isdir("/var/lib/vantage"):
        assert ctl.say("outfile open name a file a mode append") == "ERR could not add outfile"
        assert ctl.say("get error") == "OK error there is no data directory"
    ctl.stream.write(b"attach format json\nping -c 1 %s\ndone\n" % net.DST[4].encode())
    assert b"OK id-1" in ctl.read()
    wait_for(lambda: os.path.getsize(out) > 0)
    with open(out) as text:
        assert destinations(map(json.loads, text)) == [net.DST[4]]
    ctl.close()


def test_a_reader_that_stops_holds_nobody_up(serving):
    """Its source waits, clients do not, and nothing is lost when it goes on."""
    todo = addresses(8000)
    ends = os.pipe()
    ctl = serving.start(["-O", "json"], stdout=ends[1])
    os.close(ends[1])
    serving.list(todo)
    assert ctl.say('source add name s command "ping -c 1 -W 1" file l') == "OK source added"
    time.sleep(2)
    began = time.monotonic()
    ping_by_socket(serving, net.DST[4])
    assert time.monotonic() - began < 2
    found = []
    with os.fdopen(ends[0]) as stream:
        for line in stream:
            found.append(json.loads(line))
            if found[-1]["type"] == "cycle-stop":
                break
    assert destinations(found) == sorted(todo)
    ctl.close()


@pytest.mark.parametrize("how", ["warts", "json", "warts.gz"])
def test_a_killed_worker_leaves_whole_records(serving, how):
    """The starter mends what the worker could not finish."""
    for turn in range(4):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(serving.out)
        ctl = serving.start(["-o", "out", "-O", how, "-p", "12000"])
        serving.list(addresses(20000))
        assert ctl.say('source add name s command "ping -c 1 -W 1" file l') == "OK source added"
        time.sleep(1.3 + turn * 0.13)
        os.kill(serving.worker(), signal.SIGKILL)
        err = serving.child.communicate(timeout=15)[1]
        ctl.close()
        if how == "json":
            with open(serving.out) as text:
                found = destinations(map(json.loads, text))
        else:
            found = destinations(read_warts(serving.out))
        assert len(found) > 100 and len(set(found)) == len(found), err
        for name in os.listdir(serving.data):
            os.unlink(os.path.join(serving.data, name))


def test_what_a_killed_worker_left_of_a_record_is_cut_off(serving):
    for how, half in (("warts", b"\x12\x05\x00"), ("json", b'{"type":"pi'), ("warts.gz", b"\x1f\x8b\x08\x00\x00")):
        ctl = serving.start(["-o", "out", "-O", how])
        serving.measure(ctl, [net.DST[4], net.ALIAS[4]])
        ctl.close()
        time.sleep(0.2)
        worker, whole = serving.worker(), os.path.getsize(serving.out)
        os.kill(worker, signal.SIGSTOP)
        with open(serving.out, "ab") as out:
            out.write(half)
        os.kill(worker, signal.SIGKILL)
        err = serving.child.communicate(timeout=15)[1].decode()
        assert "out: %d bytes behind the last whole record were cut" % len(half) in err
        assert os.path.getsize(serving.out) == whole > 0


def test_a_killed_starter_takes_nothing_along(serving):
    ctl = serving.start(["-o", "out.json"])
    serving.list(addresses(3000))
    assert ctl.say('source add name s command "ping -c 1 -W 1" file l') == "OK source added"
    worker = serving.worker()
    privd = privd_of(worker)
    serving.child.kill()
    serving.child.wait()
    wait_for(lambda: ctl.say("source list") == "OK")
    ctl.stream.write(b"shutdown now\n")
    ctl.read()
    assert gone(worker) and gone(privd)
    with open(serving.path("out.json")) as text:
        assert destinations(map(json.loads, text)) == sorted(addresses(3000))


def test_a_full_disk_of_the_default_output_is_its_own(serving):
    todo, disk = addresses(4000), serving.path("disk")
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], check=True)
    try:
        ctl = serving.start(["-o", "disk/out.json"])
        assert ctl.say("outfile open name a file a.warts mode truncate") == "OK"
        serving.list(todo)
        assert ctl.say('source add name s command "ping -c 1 -W 1" file l') == "OK source added"
        wait_for(lambda: "No space left on device" in ctl.say("outfile list"))
        with open(os.path.join(disk, "out.json")) as text:
            assert len(destinations(map(json.loads, text))) > 100
        assert ctl.say('source add name t command "ping -c 1" file l2 outfile a') == "ERR could not alloc source"
        assert ctl.say("get error") == "OK error l2: No such file or directory"
        with open(os.path.join(serving.data, "l2"), "w") as out:
            out.write(net.DST[4] + "\n")
        os.chmod(os.path.join(serving.data, "l2"), 0o644)
        assert ctl.say('source add name t command "ping -c 1" file l2 outfile a') == "OK source added"
        wait_for(lambda: "'t'" not in ctl.say("source list"))
        assert ctl.say("outfile close a") == "OK"
        assert destinations(read_warts(os.path.join(serving.data, "a.warts"))) == [net.DST[4]]
        subprocess.run(["mount", "-o", "remount,size=32m", disk], check=True)
        wait_for(lambda: ctl.say("source list") == "OK")
        time.sleep(0.2)
        assert ctl.say("outfile list") == "INFO 'disk/out.json' file 'disk/out.json' refcnt 1\nOK"
        ctl.close()
        assert serving.end()[0] == 0
        with open(os.path.join(disk, "out.json")) as text:
            assert destinations(map(json.loads, text)) == sorted(todo)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_limit_on_file_sizes_kills_nobody(serving):
    """The signal of it would end the worker."""
    ctl = serving.start(["-o", "out.warts"],
                        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)))
    serving.list(addresses(2000))
    assert ctl.say('source add name s command "ping -c 1 -W 1" file l') == "OK source added"
    wait_for(lambda: "File too large" in ctl.say("outfile list"))
    assert 100 < len(destinations(read_warts(serving.path("out.warts")))) < 2000
    ping_by_socket(serving, net.DST[4])
    ctl.close()
    assert serving.end()[0] == 0
    assert 100 < len(destinations(read_warts(serving.path("out.warts")))) < 2000
