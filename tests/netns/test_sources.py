"""Managed sources and output files: the real pair with a data directory."""
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

import lab as net
import pair as pair_module


class Control:
    """An interactive session."""
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(path)
        self.stream = self.sock.makefile("rwb", buffering=0)

    def say(self, line):
        """The reply: all lines up to OK or ERR."""
        self.stream.write(line.encode() + b"\n")
        lines = []
        while True:
            lines.append(self.stream.readline().decode().rstrip("\n"))
            if re.match(r"OK\b|ERR\b|$", lines[-1]):
                return "\n".join(lines)

    def read(self):
        return self.stream.read()

    def line(self):
        return self.stream.readline().decode().rstrip("\n")

    def close(self):
        self.stream.close()
        self.sock.close()


class Service(pair_module.Vantage):
    """A pair on T with a data directory, which outlives its restarts."""
    def __init__(self, lab, conf=""):
        self.data = tempfile.mkdtemp(prefix="vantage-vs-")
        who = pwd.getpwnam("vantage")
        os.chown(self.data, who.pw_uid, who.pw_gid)
        os.chmod(self.data, 0o700)
        super().__init__(lab, options=["--data", self.data], node="t", conf=conf)

    def __exit__(self, *exc):
        super().__exit__(*exc)
        shutil.rmtree(self.data, ignore_errors=True)

    def control(self):
        return Control(self.socket)

    def path(self, name):
        return os.path.join(self.data, name)

    def put(self, name, lines):
        with open(self.path(name), "w") as out:
            out.writelines(line + "\n" for line in lines)
        os.chmod(self.path(name), 0o644)

    def dump(self, name):
        """What Debian's reader makes of a file."""
        done = subprocess.run(["sc_wartsdump", self.path(name)], capture_output=True, text=True)
        assert done.returncode == 0, done
        return done.stdout


@pytest.fixture
def service(lab):
    with Service(lab) as it:
        yield it


def test_outfiles_are_made_in_the_data_directory_alone(service):
    ctl = service.control()
    os.mkfifo(service.path("fifo"))
    os.symlink("/etc/passwd", service.path("link"))
    os.mknod(service.path("null"), 0o20666, os.makedev(1, 3))
    assert ctl.say("outfile open name a file a.warts mode truncate") == "OK"
    for bad in ("../x", "/etc/passwd", "fifo", "link", "null", ".state"):
        assert ctl.say("outfile open name b file %s mode append" % bad) == "ERR could not add outfile", bad
    assert ctl.say("outfile list") == "INFO 'a' file 'a.warts' refcnt 1\nOK"
    assert os.stat(service.path("a.warts")).st_uid == pwd.getpwnam("vantage").pw_uid
    ctl.close()


def test_a_private_pair_has_no_files(lab):
    """Nor has a service without a directory; neither dies of being asked."""
    with pair_module.Vantage(lab, node="t") as it:
        if os.path.isdir("/var/lib/vantage"):
            pytest.skip("this machine has a data directory")
        ctl = Control(it.socket)
        assert ctl.say("outfile list").startswith("ERR no data directory")
        ctl.close()


def test_a_shutdown_ends_the_pair_and_takes_the_socket_along(service):
    ctl = service.control()
    ctl.stream.write(b"shutdown done\n")
    assert ctl.read() == b"OK\n"
    assert service.privd.wait(10) == 0
