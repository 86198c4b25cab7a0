"""Our C sources, for the lints: paths relative to the root, and their text."""

import pathlib
import re

ROOMS = ("common", "proto", "firewall", "privd", "workerd", "client", "tests")


def root():
    return pathlib.Path(__file__).resolve().parents[2]


def files(suffixes=(".c", ".h"), rooms=ROOMS):
    for room in rooms:
        for path in sorted((root() / room).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path.relative_to(root()).as_posix(), path.read_text(encoding="utf-8")


def code_lines(text):
    """Lines that hold code: neither blank nor comment alone."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    return [line for line in text.splitlines() if line.strip() and not line.strip().startswith("//")]


def report(problems):
    for problem in problems:
        print(problem)
    raise SystemExit(1 if problems else 0)
