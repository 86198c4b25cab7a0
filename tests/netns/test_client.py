"""The command line client against a service of the test's own: inputs, outputs,
and what happens when either end misbehaves.  No packet is sent here."""
import bz2
import gzip
import json
import lzma
import os
import pty
import random
import resource
import select
import signal
import subprocess
import time

import pytest

from fake_service import Fake, block, golden, records
from pair import program

VANTAGE = program("vantage")


@pytest.fixture
def sock(tmp_path):
    return str(tmp_path / "control.sock")


def start(sock, *args, **kw):
    kw.setdefault("stdin", subprocess.DEVNULL)
    kw.setdefault("stdout", subprocess.PIPE)
    kw.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen([VANTAGE, "--socket", sock, *map(str, args)], **kw)


def run(sock, *args, stdin=None, status=0):
    p = start(sock, *args, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL)
    out, err = p.communicate(stdin, timeout=60)
    assert p.returncode == status, err.decode()
    return out, err.decode()


def sent(fake):
    """Behind the attach, and what is asked before it."""
    first = [line.split()[0] for line in fake.lines].index("attach") if fake.lines else 0
    return [line for line in fake.lines[first + 1:] if line != "done"]


def results(data):
    return [kind for kind, _ in records(data)].count(7)


def wait_for(what, seconds=10):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize("pps, ahead", [(20, 64), (1000, 2000), (2000, 4000), (2500, 9000), (10000, 9000)])
def test_commands_are_sent_ahead_as_the_rate_needs(sock, tmp_path, pps, ahead):
    """Two seconds' worth, so that the queue lasts until the first results; where
    that is more than ^C could pass by, all that the service takes."""
    targets = tmp_path / "targets"
    targets.write_text("192.0.2.1\n" * 9000)
    with Fake(sock, hold="always", busy=True) as fake:
        p = start(sock, "-p", pps, "-o", "/dev/null", "-f", targets)
        wait_for(lambda: len(sent(fake)) >= ahead)
        time.sleep(0.2)
        p.kill()
        p.communicate()
        assert len(sent(fake)) == ahead


# inputs

def test_addresses_get_the_default_command(sock):
    with Fake(sock) as fake:
        run(sock, "-c", "ping -c 1", "-i", "192.0.2.1", "2001:db8::1")
        assert sent(fake) == ["ping -c 1 192.0.2.1", "ping -c 1 2001:db8::1"]


def test_an_address_of_ip4_is_not_written_as_one_of_ip6(sock):
    with Fake(sock) as fake:
        _, err = run(sock, "-i", "::ffff:192.0.2.1", "192.0.2.2", status=65)
        assert err == "vantage: '::ffff:192.0.2.1' is an IPv4 address: write 192.0.2.1\n"
        assert sent(fake) == ["trace 192.0.2.2"]
        _, err = run(sock, "-n", "::ffff:192.0.2.1", "-i", "::1", status=64)
        assert "write 192.0.2.1" in err


def test_trace_is_the_default_command(sock):
    with Fake(sock) as fake:
        run(sock, "-i", "192.0.2.1")
        assert sent(fake) == ["trace 192.0.2.1"]


def test_commands_go_as_they_are(sock):
    with Fake(sock) as fake:
        run(sock, "-I", "ping -c 1 192.0.2.1", "trace 192.0.2.2")
        assert sent(fake) == ["ping -c 1 192.0.2.1", "trace 192.0.2.2"]


def test_a_verb_is_one_command(sock):
    with Fake(sock) as fake:
        out, _ = run(sock, "ping", "-c", "3", "192.0.2.1", "--json")
        assert sent(fake) == ["ping -c 3 192.0.2.1"]
        assert [json.loads(line)["type"] for line in out.splitlines()] == ["cycle-start", "ping", "cycle-stop"]


LIST = b"# list\n192.0.2.1\r\n\n\t192.0.2.2\t# x\n192.0.2.3 y\nnonsense\n192.0.2.4\0\n" + b"9" * 100000 + b"\n::1"


@pytest.mark.parametrize("how", ["file", "-f", "stdin"])
def test_a_list_is_read_and_its_bad_lines_reported(sock, tmp_path, how):
    path = tmp_path / "list"
    path.write_bytes(LIST)
    with Fake(sock) as fake:
        if how == "stdin":
            _, err = run(sock, "-f", "-", stdin=LIST, status=65)
            path = "standard input"
        else:
            _, err = run(sock, *(["-f"] if how == "-f" else []), path, status=65)
        assert sent(fake) == [f"trace {a}" for a in ("192.0.2.1", "192.0.2.2", "192.0.2.3", "::1")]
    assert err.splitlines() == [
        f"vantage: {path}:6: 'nonsense' is no IPv4 or IPv6 address",
        f"vantage: {path}:7: a NUL byte in the line",
        f"vantage: {path}:8: longer than 8191 bytes"]


def test_a_command_file_and_what_the_service_refuses(sock, tmp_path):
    path = tmp_path / "cmds"
    path.write_bytes(b"ping 192.0.2.1 # one\n# two\nbad 192.0.2.2\ntrace 192.0.2.3\n")
    with Fake(sock) as fake:
        _, err = run(sock, "-O", "cmdfile", path, status=65)
        assert sent(fake) == ["ping 192.0.2.1", "bad 192.0.2.2", "trace 192.0.2.3"]
    assert err == (f"vantage: {path}:3: 'bad 192.0.2.2': command not accepted: "
                   "no such thing in 'bad 192.0.2.2'\n")


def test_timestamp_lists(sock, tmp_path):
    path = tmp_path / "tsps"
    path.write_bytes(b"192.0.2.1 192.0.2.2 192.0.2.3\n192.0.2.4\n192.0.2.5  192.0.2.6\n")
    with Fake(sock) as fake:
        run(sock, "-O", "tsps", path, status=65)
        assert sent(fake) == ["ping -T tsprespec=192.0.2.2,192.0.2.3 192.0.2.1", "ping 192.0.2.4"]


def test_protected_destinations_are_not_asked_for(sock, tmp_path):
    dnp = tmp_path / "dnp"
    dnp.write_text("192.0.2.0/24 # theirs\n2001:db8::/32\n")
    with Fake(sock) as fake:
        _, err = run(sock, "-O", f"dnp={dnp}", "-i", "192.0.2.1", "198.51.100.1", "2001:db8::1", status=65)
        assert sent(fake) == ["trace 198.51.100.1"]
    assert err.count("destination in do-not-probe list") == 2
    dnp.write_text("192.0.2.0/24\nx\n")
    with Fake(sock) as fake:
        run(sock, "-O", f"dnp={dnp}", "-i", "192.0.2.1", status=78)
        assert fake.lines == []


def test_a_disabled_method_is_not_asked_for(sock, tmp_path):
    cfg = tmp_path / "cfg"
    cfg.write_text("trace.enable = 0\n")
    with Fake(sock) as fake:
        _, err = run(sock, "-g", cfg, "-I", "trace 192.0.2.1", "ping 192.0.2.1", status=65)
        assert sent(fake) == ["ping 192.0.2.1"]
    assert "the method is disabled" in err


def test_what_the_run_is_called_goes_with_attach(sock):
    with Fake(sock) as fake:
        run(sock, "-l", "my list", "-L", 7, "-C", 9, "-M", "mon", "-p", 500, "-w", 30, "-i", "::1")
        assert fake.lines[0] == ('attach name "my list" descr default list_id 7 cycle_id 9 window 30 format warts '
                                 "data id pps 500 monitor mon")


def test_what_is_shared_must_be_as_asked(sock):
    with Fake(sock):
        run(sock, "-H", 5, "-n", "192.0.2.53", "-i", "::1")
        _, err = run(sock, "-H", 6, "-i", "::1", status=78)
        assert "the service has holdtime 5, not 6" in err
        _, err = run(sock, "-n", "192.0.2.54", "-i", "::1", status=78)
        assert "nameserver" in err


def test_who_wants_names_where_nobody_is_to_be_asked_is_told_once(sock, tmp_path):
    says = ("vantage: -O ptr: there is no name server to ask for names: 'nameserver ADDRESS' in vantage.conf "
            "names the service's, -n a private pair's\n")
    wanted = "trace -O ptr 192.0.2.1"
    path = tmp_path / "cmds"
    path.write_text("ping 192.0.2.1\n%s\n%s\n" % (wanted, wanted))
    with Fake(sock, nameless=True) as fake:
        for args in (["trace", "-O", "ptr", "192.0.2.1"], ["-I", wanted, wanted, "trace 192.0.2.2"],
                     ["-c", "trace -O ptr", "-i", "192.0.2.1", "192.0.2.2"], ["-O", "cmdfile", path]):
            _, err = run(sock, *args)
            assert err == says
        fake.lines.clear()
        _, err = run(sock, "-i", "192.0.2.1")
        assert err == "" and fake.lines[0].startswith("attach ")
        _, err = run(sock, "-c", "trace -Z ptr", "-i", "192.0.2.1")
        assert err == ""
    with Fake(sock):
        _, err = run(sock, "-I", wanted)
        assert err == ""


# outputs

def test_warts_is_passed_on_byte_by_byte(sock, tmp_path):
    out = tmp_path / "o.warts"
    with Fake(sock):
        run(sock, "-o", out, "-i", "192.0.2.1")
    assert out.read_bytes() == b"".join(d for _, d in golden("ping-icmp.warts"))


@pytest.mark.parametrize("suffix,opener", [("gz", gzip.open), ("bz2", bz2.open), ("xz", lzma.open)])
def test_compressed_output_is_the_same_inside(sock, tmp_path, suffix, opener):
    with Fake(sock):
        for args in (["-o", tmp_path / f"a.warts.{suffix}"],
                     ["-O", f"warts.{suffix}", "-o", tmp_path / "b"]):
            run(sock, *args, "-f", "-", stdin=b"192.0.2.1\n" * 5000)
            with opener(args[-1], "rb") as f:
                assert results(f.read()) == 5000


def test_text_and_json(sock):
    with Fake(sock):
        out, _ = run(sock, "-i", "192.0.2.1")
        assert out.startswith(b"ping ") and b"3 packets transmitted" in out
        out, _ = run(sock, "-O", "json", "-i", "192.0.2.1")
        assert [json.loads(line)["type"] for line in out.splitlines()] == ["cycle-start", "ping", "cycle-stop"]


def test_a_run_that_cannot_begin_leaves_the_old_file(sock, tmp_path):
    out = tmp_path / "o.warts"
    out.write_bytes(b"precious")
    run(sock, "-o", out, "-i", "192.0.2.1", status=69)
    with Fake(sock, refuse="too many sessions"):
        _, err = run(sock, "-o", out, "-i", "192.0.2.1", status=75)
        assert "too many sessions" in err
    assert out.read_bytes() == b"precious"


def test_an_output_that_cannot_be_made(sock, tmp_path):
    with Fake(sock) as fake:
        _, err = run(sock, "-o", tmp_path / "no" / "o", "-i", "192.0.2.1", status=73)
        assert "cannot create" in err
        assert sent(fake) == []


def test_a_full_disk_is_said_once_and_what_is_there_is_whole(sock, tmp_path):
    out = tmp_path / "o.warts"

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300000, 300000))

    with Fake(sock):
        p = start(sock, "-O", "warts", "-o", out, "-f", "-", stdin=subprocess.PIPE, preexec_fn=limit)
        _, err = p.communicate(b"192.0.2.1\n" * 20000, timeout=60)
    assert p.returncode == 73
    assert err.decode().count("cannot write") == 1
    assert "records could not be written" in err.decode()
    assert 1000 < results(out.read_bytes()) < 20000


def test_a_full_device(sock):
    with Fake(sock), open("/dev/full", "wb") as full:
        p = start(sock, "-O", "warts", "-i", "192.0.2.1", stdout=full)
        _, err = p.communicate(timeout=60)
    assert p.returncode == 73 and b"No space left" in err


def test_a_reader_that_goes_ends_the_run(sock):
    with Fake(sock):
        p = start(sock, "-O", "json", "-f", "-", stdin=subprocess.PIPE)
        p.stdout.close()
        with open("/dev/null", "wb"):
            try:
                p.stdin.write(b"192.0.2.1\n" * 100000)
                p.stdin.close()
            except BrokenPipeError:
                pass
        assert p.wait(20) == 73
        p.stderr.close()


def test_binary_is_not_for_a_terminal(sock):
    master, slave = pty.openpty()
    with Fake(sock):
        for value in ("warts", "warts.gz"):
            p = start(sock, "-O", value, "-i", "192.0.2.1", stdout=slave)
            _, err = p.communicate(timeout=20)
            assert p.returncode == 73 and b"is not for a terminal" in err
    os.close(master)
    os.close(slave)


def test_the_process_id_is_there_while_it_runs(sock, tmp_path):
    pid = tmp_path / "pid"
    with Fake(sock, hold="always"):
        p = start(sock, "-e", pid, "-i", "192.0.2.1")
        wait_for(lambda: pid.exists() and pid.read_text())
        assert pid.read_text() == f"{p.pid}\n"
        p.send_signal(signal.SIGTERM)
        assert p.wait(20) == 143
        p.communicate()
    assert not pid.exists()


def test_debug_log(sock, tmp_path):
    log = tmp_path / "log"
    with Fake(sock):
        run(sock, "-d", log, "-i", "192.0.2.1")
        once = log.read_text()
        assert "1 commands, 1 results" in once
        run(sock, "-d", log, "-O", "debugfileappend", "-i", "192.0.2.1")
        assert len(log.read_text().splitlines()) == 2 * len(once.splitlines())


# progress

def read_terminal(fd, p):
    seen = b""
    while p.poll() is None or select.select([fd], [], [], 0.2)[0]:
        if select.select([fd], [], [], 0.2)[0]:
            seen += os.read(fd, 4096)
    return seen


def test_progress_on_a_terminal_only(sock):
    with Fake(sock, pause=0.4):
        for quiet, expect in (([], True), (["-q"], False)):
            master, slave = pty.openpty()
            p = start(sock, *quiet, "-O", "json", "-i", *["192.0.2.1"] * 4, stderr=slave)
            seen = read_terminal(master, p)
            p.communicate()
            assert p.returncode == 0
            assert (b" of 4 done (" in seen) == expect
            if expect:
                assert b"\n" not in seen and seen.endswith(b"\r\x1b[K")
            os.close(master)
            os.close(slave)
        _, err = run(sock, "-i", *["192.0.2.1"] * 4)
        assert err == ""


# ends

def test_no_service_says_what_to_do(sock):
    _, err = run(sock, "-i", "192.0.2.1", status=69)
    assert "systemctl start vantage.socket" in err and len(err.splitlines()) == 1


def test_a_service_that_dies_is_named_and_the_output_is_whole(sock, tmp_path):
    out = tmp_path / "o.warts"
    with Fake(sock, die_after=1500):
        _, err = run(sock, "-o", out, "-f", "-", stdin=b"192.0.2.1\n" * 3000, status=69)
    assert "the service went away" in err
    assert results(out.read_bytes()) == 1499


@pytest.mark.parametrize("garbage", [
    b"HELLO\n", b"DATA 99999999999 id-1\n", b"DATA 3 id-1\nabc", block(b"abc\n", 1), block(b"`\n", 1),
    block(b"#86)C\n`\n", 1), b"\x00\x01\x02\n", b"OK id-77\n" * 3, b"x" * 100000])
@pytest.mark.parametrize("form", ["warts", "text", "json"])
def test_a_hostile_service_spoils_nothing(sock, tmp_path, garbage, form):
    out = tmp_path / "o"
    with Fake(sock, garbage=garbage):
        _, err = run(sock, "-O", form, "-o", out, "-i", "192.0.2.1", "192.0.2.2", status=69)
    assert len(err.splitlines()) == 1
    data = out.read_bytes()
    if form == "warts":
        assert results(data) == 0
    elif form == "json":
        assert [json.loads(line)["type"] for line in data.splitlines()] == ["cycle-start"]
    else:
        assert data == b""


@pytest.mark.parametrize("complete", [False, True])
def test_interrupt_halts_what_runs(sock, tmp_path, complete):
    out = tmp_path / "o.warts"
    with Fake(sock, hold="yes") as fake:
        p = start(sock, "-o", out, "-f", "-", stdin=subprocess.PIPE)
        p.stdin.write(b"192.0.2.1\n" * 50)
        p.stdin.flush()
        if complete:
            p.stdin.close()
            p.stdin = None
        wait_for(lambda: len(sent(fake)) == 50)
        time.sleep(0.2)
        p.send_signal(signal.SIGINT)
        assert p.wait(20) == 130
        p.communicate()
        assert [line for line in fake.lines if line.startswith("halt")] == [f"halt {i}" for i in range(1, 51)]
    assert results(out.read_bytes()) == 50
    assert records(out.read_bytes())[-1][0] == 4


def test_interrupt_forgets_what_a_crowd_kept_out(sock):
    """Refused behind ^C, for what passes: it had not begun, and nobody waits."""
    with Fake(sock, hold="yes", crowd=1):
        p = start(sock, "-o", "/dev/null", "-i", "192.0.2.1", "192.0.2.2", "192.0.2.3", stderr=subprocess.PIPE)
        time.sleep(0.4)
        p.send_signal(signal.SIGINT)
        said = p.communicate(timeout=10)[1]
        assert p.returncode == 130 and said == b"", said


@pytest.mark.parametrize("form", ["warts", "json"])
def test_interrupt_ends_the_cycle_when_the_service_does_not(sock, tmp_path, form):
    out = tmp_path / "o"
    with Fake(sock, hold="always"):
        p = start(sock, "-O", form, "-o", out, "-i", "192.0.2.1")
        time.sleep(0.3)
        p.send_signal(signal.SIGINT)
        began = time.monotonic()
        time.sleep(0.3)
        p.send_signal(signal.SIGINT)
        assert p.wait(20) == 130
        assert time.monotonic() - began < 2
        p.communicate()
    if form == "warts":
        assert [kind for kind, _ in records(out.read_bytes())][-1] == 4
    else:
        last = json.loads(out.read_text().splitlines()[-1])
        assert last["type"] == "cycle-stop" and last["list_name"] == "default"


def test_interrupt_while_nobody_reads(sock):
    with Fake(sock):
        p = start(sock, "-O", "json", "-f", "-", stdin=subprocess.PIPE)
        p.stdin.write(b"192.0.2.1\n" * 6000)
        p.stdin.flush()
        time.sleep(0.5)     # our pipe is full by now
        p.send_signal(signal.SIGINT)
        time.sleep(0.3)
        p.send_signal(signal.SIGINT)
        assert p.wait(10) == 130
        p.communicate()


def test_a_service_that_does_not_answer_can_be_interrupted(sock):
    with Fake(sock, mute=True):
        p = start(sock, "-i", "192.0.2.1")
        time.sleep(0.3)
        p.send_signal(signal.SIGINT)
        assert p.wait(5) == 130
        p.communicate()


def test_kill_leaves_whole_records(sock, tmp_path):
    out = tmp_path / "o.warts"
    total = 0
    with Fake(sock):
        for i in range(30):
            p = start(sock, "-o", out, "-f", "-", stdin=subprocess.PIPE)
            with p.stdin:
                time.sleep(0.02)
                try:
                    p.stdin.write(b"192.0.2.1\n" * 4000)
                    p.stdin.flush()
                except BrokenPipeError:
                    pass
                time.sleep(random.uniform(0, 0.1))
                p.kill()
            p.stdin = None
            # The guard of the output has standard error too: its end is awaited.
            p.communicate(timeout=20)
            total += results(out.read_bytes()) if out.exists() else 0
    assert total > 0


def test_a_part_of_a_record_is_cut_off_behind_a_killed_client(sock, tmp_path):
    out = tmp_path / "o.warts"
    with Fake(sock, hold="always"):
        p = start(sock, "-o", out, "-i", "192.0.2.1")
        wait_for(lambda: out.exists() and out.stat().st_size > 0)
        whole = out.read_bytes()
        with open(out, "ab") as f:
            f.write(b"\x12\x05\x00\x07\x00")     # as a write that was ended halfway
        p.kill()
        p.communicate(timeout=20)
    assert out.read_bytes() == whole


# usage

def test_usage_errors_send_nothing(sock):
    with Fake(sock) as fake:
        for args in (["-x"], ["-p", "0", "-i", "::1"], ["-O", "nope", "-i", "::1"], [], ["-U", "/tmp/x"]):
            _, err = run(sock, *args, status=64)
            assert len(err.splitlines()) == 1
        assert fake.lines == []


def test_help_and_version():
    for args, word in ((["--help"], b"usage: vantage"), (["-?"], b"usage: vantage"),
                       (["-v"], b"vantage version "), (["--version"], b"vantage version ")):
        p = subprocess.run([VANTAGE, *args], capture_output=True)
        assert p.returncode == 0 and p.stdout.startswith(word) and p.stderr == b""


def test_the_service_tells_the_options_of_a_measurement(sock):
    with Fake(sock) as fake:
        out, err = run(sock, "ping", "-c", "3", "--help")
        assert out.startswith(b"ping [OPTION]... TARGET\n  -c count  probes\n") and err == ""
        assert fake.lines == ["help ping"]
        out, _ = run(sock, "trace", "--help")   # which this one does not know
        assert b"its options are in vantage(1)" in out
    out, _ = run(sock, "ping", "--help")
    assert b"its options are in vantage(1)" in out and b"no service at" in out


def test_a_host_has_its_first_address(sock, tmp_path):
    # Not every machine knows even "localhost": one without /etc/hosts does not.
    (tmp_path / "hosts").write_text("192.0.2.7 target.example\n2001:db8::7 target.example\n"
                                    "192.0.2.8 ip4.example\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: files\n")

    def vantage(*args):
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", 'mount --bind "$1" /etc && shift && exec "$@"', "sh", tmp_path,
             VANTAGE, "--socket", sock, *args],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    for args, command in ((["ping", "-c", "1", "ip4.example"], "ping -c 1 192.0.2.8"),
                          (["-4", "ping", "-c", "1", "target.example"], "ping -c 1 192.0.2.7"),
                          (["trace", "-6", "-q", "2", "target.example"], "trace -q 2 2001:db8::7"),
                          (["trace", "target.example", "--ipv6"], "trace 2001:db8::7"),
                          (["ping", "-4", "192.0.2.9"], "ping 192.0.2.9")):
        with Fake(sock) as fake:
            done = vantage(*args)
            assert done.returncode == 0, done
            assert sent(fake) == [command]
    for args, says in ((["ping", "-6", "ip4.example"], "give an address"),
                       (["-4", "ping", "2001:db8::7"], "'2001:db8::7' is no IPv4 address, which -4 wants"),
                       (["trace", "-6", "192.0.2.7"], "'192.0.2.7' is no IPv6 address, which -6 wants")):
        done = vantage(*args)
        assert done.returncode == 64 and len(done.stderr.splitlines()) == 1 and says in done.stderr, done


def test_a_word_that_is_no_address_is_told_before_the_service_is_asked(sock):
    for args, says in ((["ping"], "'vantage ping 192.0.2.1'"), (["trace", "192.0.2"], "no host's name"),
                       (["192.0.2.1"], "'vantage -i 192.0.2.1'"), (["pign", "192.0.2.1"], "--help")):
        _, err = run(sock, *args, status=64)
        assert says in err
