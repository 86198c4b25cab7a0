"""`vantage dump`: files as text and JSON, whole, damaged and compressed."""
import bz2
import gzip
import json
import lzma
import os
import subprocess

import pytest

from fake_service import GOLDEN, golden
from pair import program

VANTAGE = program("vantage")


def dump(*args, **kw):
    return subprocess.run([VANTAGE, "dump", *args], capture_output=True, timeout=20, **kw)


@pytest.mark.parametrize("name", sorted(n for n in os.listdir(GOLDEN) if n.endswith(".warts")))
def test_dump_reads_every_golden_file(name):
    p = dump(os.path.join(GOLDEN, name))
    assert p.returncode == 0, p.stderr
    types = [json.loads(line)["type"] for line in p.stdout.splitlines()]
    kinds = [kind for kind, _ in golden(name)]
    known = {2: "cycle-start", 4: "cycle-stop", 6: "trace", 7: "ping"}
    assert types == [known[k] for k in kinds if k in known]


def test_dump_of_standard_input_and_of_compressed_files(tmp_path):
    path = os.path.join(GOLDEN, "ping-icmp.warts")
    with open(path, "rb") as f:
        data = f.read()
    want = dump(path).stdout
    for args in ([], ["-"]):
        p = dump(*args, input=data)
        assert p.returncode == 0 and p.stdout == want
    for suffix, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        packed = tmp_path / f"x.{suffix}"
        packed.write_bytes(pack(data))
        p = dump(packed)
        assert p.returncode == 0 and p.stdout == want


def test_dump_says_what_cannot_be_read(tmp_path):
    with open(os.path.join(GOLDEN, "ping-icmp.warts"), "rb") as f:
        packed = gzip.compress(f.read())
    cut = tmp_path / "cut.gz"
    cut.write_bytes(packed[:-20])
    p = dump(cut, text=True)
    assert p.returncode == 65 and "cycle-start" in p.stdout
    assert p.stderr.endswith(": the compressed data is damaged, or ends too early\n")
    p = dump(tmp_path, text=True)
    assert p.returncode == 65
    assert p.stderr.endswith(": offset 0: cannot read a record's header: Is a directory\n")


def test_dump_as_text():
    path = os.path.join(GOLDEN, "ping-icmp.warts")
    p = dump("--text", path)
    assert p.returncode == 0 and b"packets transmitted" in p.stdout


def test_dump_of_a_cut_file_prints_what_is_whole(tmp_path):
    whole = golden("ping-icmp.warts")
    cut = tmp_path / "cut.warts"
    for drop in (1, len(whole[-1][1]) - 1, len(whole[-1][1]) + 5):
        data = b"".join(d for _, d in whole)[:-drop]
        cut.write_bytes(data)
        p = dump(cut)
        offset = len(b"".join(d for _, d in whole[:-1 if drop < len(whole[-1][1]) else -2]))
        assert p.returncode == 65
        assert len(p.stderr.splitlines()) == 1 and str(offset).encode() in p.stderr
        for line in p.stdout.splitlines():
            json.loads(line)


def test_dump_goes_on_with_the_next_file(tmp_path):
    good = os.path.join(GOLDEN, "ping-icmp.warts")
    bad = tmp_path / "bad"
    bad.write_bytes(b"nonsense")
    want = dump(good).stdout
    p = dump(bad, tmp_path / "none", good)
    assert p.returncode == 65 and p.stdout == want and len(p.stderr.splitlines()) == 2


def test_dump_into_a_closed_pipe():
    good = os.path.join(GOLDEN, "ping-icmp.warts")
    p = subprocess.Popen([VANTAGE, "dump", *[good] * 200], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdout.close()
    assert p.wait(20) == 73
    p.stderr.close()
