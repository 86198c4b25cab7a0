"""A service that answers at once and misbehaves on request: what the client
does then must not depend on a real one being there."""
import binascii
import os
import re
import socket
import struct
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GOLDEN = os.path.join(TOP, "tests", "golden")


def records(data):
    """The records of warts bytes: (type, whole record); anything else raises."""
    found, at = [], 0
    while at < len(data):
        magic, kind, length = struct.unpack_from(">HHI", data, at)
        assert magic == 0x1205 and kind != 0, f"no record at {at}"
        end = at + 8 + length
        assert end <= len(data), f"the record at {at} is cut short"
        found.append((kind, data[at:end]))
        at = end
    return found


def golden(name):
    with open(os.path.join(GOLDEN, name), "rb") as f:
        return records(f.read())


def uuencode(data):
    lines = [binascii.b2a_uu(data[i:i + 45], backtick=True) for i in range(0, len(data), 45)]
    return b"".join(lines) + b"`\n"


def block(body, task=None, inprog=False):
    head = f"DATA {len(body)}" + (f" id-{task}" if task else "") + (" inprog" if inprog else "")
    return head.encode() + b"\n" + body


class Fake:
    """behave: what to do instead of the right thing.
      die_after N      close in the middle of the N-th result
      garbage BYTES    send this instead of the first result
      mute             never answer
      nameless         no name server
      refuse TEXT      ERR to attach
      hold             tasks end only when halted; if "always", never
      busy             its queue is never empty: no MORE
      crowd SECONDS    one task may run: others are refused, the first so late
    """

    def __init__(self, path, **behave):
        self.path, self.behave = path, behave
        self.lines, self.asked = [], []
        self.sample = golden("ping-icmp.warts")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen(4)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # shutdown wakes the accept that another thread waits in; close does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
        os.unlink(self.path)

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            try:
                Talk(self, conn).run()
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:
                conn.close()


class Talk:
    def __init__(self, fake, conn):
        self.fake, self.conn = fake, conn
        self.behave = fake.behave
        self.json = False
        self.attached = self.ended = self.said_done = False
        self.next_id = 1
        self.held = []
        self.out = []

    def say(self, data):
        self.out.append(data)

    def flush(self):
        self.conn.sendall(b"".join(self.out))
        self.out = []

    def run(self):
        rest = b""
        while not self.ended:
            data = self.conn.recv(65536)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self.line(line.decode())
                if self.ended:
                    break
            self.flush()

    def line(self, line):
        self.fake.lines.append(line)
        if "mute" in self.behave:
            return
        if not self.attached:
            self.interactive(line)
        elif self.said_done:
            raise BrokenPipeError   # nothing may come behind done
        elif line == "done":
            self.said_done = True
            self.done()
        elif re.fullmatch(r"halt \d+", line):
            self.halt(int(line.split()[1]))
        elif "bad" in line:
            self.say(f"ERR command not accepted: no such thing in '{line}'\n".encode())
        else:
            self.command()

    def interactive(self, line):
        word = line.split()
        if word[0] == "attach" and "refuse" in self.behave:
            self.say(f"ERR {self.behave['refuse']}\n".encode())
        elif word[0] == "attach":
            self.attached = True
            self.json = "format json" in line
            self.say(b"OK\nMORE\n")
            if self.json:
                self.say(block(self.cycle_json("start")))
            else:
                for kind, data in self.fake.sample:
                    if kind in (1, 2):
                        self.say(block(uuencode(data)))
        elif line == "get holdtime":
            self.say(b"OK holdtime 5\n")
        elif line == "get nameserver":
            self.say(b"OK null nameserver\n" if "nameless" in self.behave else b"OK nameserver 192.0.2.53\n")
        elif line == "help ping":
            self.say(b"INFO ping [OPTION]... TARGET\nINFO   -c count  probes\nOK\n")
        else:
            self.say(f"ERR unhandled command '{word[0]}'\n".encode())

    def cycle_json(self, what):
        return (f'{{"type":"cycle-{what}", "list_name":"default", "id":0, "hostname":"h", '
                f'"{what}_time":{int(time.time())}}}\n').encode()

    def result(self, task, inprog=False):
        if self.json:
            return block(b'{"type":"ping","ping_sent":3}\n', task, inprog)
        record = next(data for kind, data in self.fake.sample if kind == 7)
        return block(uuencode(record), task, inprog)

    def crowded(self):
        self.flush()
        time.sleep(self.behave["crowd"])
        self.behave["crowd"] = 0
        self.say(b"ERR command not accepted: slice g: running 1, 0 left; again when one of them ends\n")

    def command(self):
        if "crowd" in self.behave and self.held:
            self.crowded()
            return
        task, self.next_id = self.next_id, self.next_id + 1
        self.say(f"OK id-{task}\n".encode() + (b"" if "busy" in self.behave else b"MORE\n"))
        if "hold" in self.behave:
            self.held.append(task)
            return
        if "garbage" in self.behave:
            self.say(self.behave["garbage"])
            return
        data = self.result(task)
        if self.behave.get("die_after") == task:
            self.say(data[:len(data) // 2])
            self.flush()
            self.ended = True
            return
        if "pause" in self.behave:
            self.flush()
            time.sleep(self.behave["pause"])
        self.say(data)

    def halt(self, task):
        if self.behave.get("hold") == "always":
            return
        if task not in self.held:
            self.say(f"ERR no task id-{task}\n".encode())
            return
        self.held.remove(task)
        self.say(f"OK halted {task}\n".encode())
        self.say(self.result(task))

    def done(self):
        self.say(b"OK\n")
        for task in self.held:
            self.say(self.result(task))
        if self.json:
            self.say(block(self.cycle_json("stop")))
        else:
            self.say(block(uuencode(next(d for k, d in self.fake.sample if k == 4))))
        self.flush()
        self.ended = True
