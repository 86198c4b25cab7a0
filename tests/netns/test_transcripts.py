"""Dialogues of the control protocol, replayed against the real pair.

tests/golden/transcripts/NAME.txt, one fresh service each:

    # a comment
    file NAME LINE...     a list in the data directory, before the first line
    ends                  the service ends by itself, and takes its socket along
    > LINE                is sent; \\r, \\n and \\xHH as in Python
    < PATTERN             the next line must be this; {n} is a number, {word} has
                          no blank, {any} is anything; {keep} is anything, too,
                          and {kept} from then on; {end}: the server closes

Before > and < a name may stand, of one of several connections; those that begin
with "user" are an ordinary user's, those with "tcp" come by TCP. A DATA block
is checked for its length and form and stands as "DATA TYPE[ id-N]".
"""
import binascii
import codecs
import glob
import json
import os
import re
import socket
import struct
import time

import pytest

import lab as net
import pair as pair_module
from test_sources import Service, targets

FOLDER = os.path.join(pair_module.TOP, "tests/golden/transcripts")
NAMES = sorted(os.path.basename(p)[:-4] for p in glob.glob(os.path.join(FOLDER, "*.txt")))
PORT = 31337
PLACES = {"n": r"\d+", "word": r"[^\s\"]+", "any": r".*", "keep": r"(.*)", "end": ""}
RECORDS = {1: "list", 2: "cycle-start", 4: "cycle-stop", 6: "trace", 7: "ping"}


def uudecode(body):
    lines = body.decode("ascii").split("\n")
    assert lines[-2:] == ["`", ""], "a block that does not end as it should"
    return b"".join(map(binascii.a2b_uu, lines[:-2]))


def record_type(body):
    """Of a block's one record, which must be all of it."""
    if body.startswith(b"{"):
        assert body.endswith(b"}\n") and body.count(b"\n") == 1
        return json.loads(body)["type"]
    data = uudecode(body)
    magic, kind, length = struct.unpack(">HHI", data[:8])
    assert magic == 0x1205 and length == len(data) - 8
    return RECORDS[kind]


def as_user(uid, func):
    os.setegid(uid)
    os.seteuid(uid)
    try:
        return func()
    finally:
        os.seteuid(0)
        os.setegid(0)


class Client:
    def __init__(self, service, name):
        def unix():
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(service.socket)
            return sock

        if name.startswith("tcp"):
            self.sock = net.in_netns(service.lab.name(service.node),
                                     lambda: socket.create_connection(("127.0.0.1", PORT)))
        else:
            self.sock = as_user(pair_module.NOBODY, unix) if name.startswith("user") else unix()
        self.sock.settimeout(10)
        self.stream = self.sock.makefile("rwb", buffering=0)

    def send(self, text):
        self.stream.write(codecs.decode(text, "unicode_escape").encode("latin-1") + b"\n")

    def line(self):
        """One line, "" at the end; a block is one line of what is in it."""
        text = self.stream.readline().decode()
        block = re.fullmatch(r"DATA (\d+)(.*)\n", text)
        if block is None:
            assert text == "" or text.endswith("\n")
            return text.rstrip("\n")
        body = b""
        while len(body) < int(block.group(1)):
            body += self.stream.read(int(block.group(1)) - len(body))
        return "DATA " + record_type(body) + block.group(2)

    def silent(self):
        self.sock.settimeout(0.05)
        try:
            return self.sock.recv(1) == b""
        except socket.timeout:
            return True

    def close(self):
        self.stream.close()
        self.sock.close()


def matches(pattern, text):
    parts = re.split(r"\{(%s)\}" % "|".join(PLACES), pattern)
    return re.fullmatch("".join(PLACES[p] if i % 2 else re.escape(p) for i, p in enumerate(parts)), text)


def replay(lab, name):
    with open(os.path.join(FOLDER, name + ".txt")) as text:
        steps = text.read().splitlines()
    with Service(lab, conf="listen 127.0.0.1:%d\n" % PORT) as service:
        clients, kept = {}, ""
        for number, step in enumerate(steps, 1):
            said = re.fullmatch(r"(\w*)([<>]) ?(.*)", step)
            if step.startswith("file "):
                _, file, *content = step.split()
                service.put(file, content)
            elif said is not None:
                who, way, what = said.groups()
                what = what.replace("{kept}", kept)
                if who not in clients:
                    clients[who] = Client(service, who)
                if way == ">":
                    clients[who].send(what)
                    continue
                got = clients[who].line()
                match = matches(what, got)
                assert match is not None, "%s.txt:%d: %r" % (name, number, got)
                kept = match[1] if match.groups() else kept
            else:
                assert step == "ends" or step.startswith("#"), "%s.txt:%d: %r" % (name, number, step)
        assert all(c.silent() for c in clients.values()), "more was said than was written down"
        if "ends" in steps:
            assert service.privd.wait(10) == 0
            assert not os.path.exists(service.socket)
        for client in clients.values():
            client.close()


@pytest.mark.parametrize("name", NAMES)
def test_transcript(name, lab):
    replay(lab, name)


def test_every_command_has_a_transcript(lab):
    """What the service says it has is what is shown here."""
    sent = set()
    for name in NAMES:
        with open(os.path.join(FOLDER, name + ".txt")) as text:
            sent |= {m.lower() for m in re.findall(r"^\w*> (\S+)", text.read(), re.M)}
    with Service(lab) as service:
        ctl = service.control()
        known = re.findall(r"^INFO (\S+) ", ctl.say("help"), re.M)
        ctl.close()
    assert len(known) >= 15 and set(known) <= sent


def test_checklist_08_outfiles_and_a_source_write_valid_files(lab):
    """control.md 9, row 8; the other rows are transcripts, and row 11 is in
    test_sources.py."""
    with Service(lab) as service:
        service.put("l", [net.DST[4], net.ALIAS[4]])
        ctl = service.control()
        for name in "ab":
            assert ctl.say("outfile open name %s file %s.warts mode truncate" % (name, name)) == "OK"
        for _ in range(2):
            assert ctl.say('source add name s command "ping -c 1 -o 1" file l outfile a') == "OK source added"
            deadline = time.monotonic() + 10
            while ctl.say("source list") != "OK":
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert ctl.say("outfile swap a b") == "OK"
        for name in "ab":
            assert ctl.say("outfile close " + name) == "OK"
            dump = service.dump(name + ".warts")
            assert targets(dump) == [net.DST[4], net.ALIAS[4]]
            assert re.findall(r"^(cycle \w+|list)", dump, re.M) == ["list", "cycle start", "cycle stop"]
        ctl.close()
