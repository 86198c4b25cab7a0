#!/usr/bin/env python3
"""Files up to 600 lines, functions up to 60, privd up to 1,200 lines of code in
all, fewer than one #if in 1,000 lines."""

import re

import sources

FILE_MAX = 600
FUNCTION_MAX = 60
PRIVD_MAX = 1200
LINES_PER_IF = 1000
SCRIPTS = (".c", ".h", ".py", ".sh")


def long_functions(path, text):
    """In this style a function's braces, and nothing else, are alone in the first column."""
    start = name = None
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start + 1 > FUNCTION_MAX:
                yield f"{path}:{start}: {name} has {number - start + 1} lines, at most {FUNCTION_MAX}"
            start = None
        elif start is None and re.match(r"[a-z_0-9]+\(", line):
            name = line.split("(")[0]


def problems():
    lines = ifs = privd = 0
    for path, text in sources.files(SCRIPTS):
        count = text.count("\n")
        if count > FILE_MAX:
            yield f"{path}: {count} lines, at most {FILE_MAX}"
        if path.endswith((".c", ".h")):
            yield from long_functions(path, text)
            lines += count
            ifs += len(re.findall(r"^\s*#\s*if(?!ndef VANTAGE_\w+_H\b)", text, re.M))
        if path.startswith("privd/"):
            privd += len(sources.code_lines(text))
    print(f"{lines} lines of C, {ifs} #if, privd {privd} lines of code")
    if privd > PRIVD_MAX:
        yield f"privd: {privd} lines of code, at most {PRIVD_MAX}"
    if ifs * LINES_PER_IF > max(lines, LINES_PER_IF):
        yield f"{ifs} #if in {lines} lines: at most one in {LINES_PER_IF}"


if __name__ == "__main__":
    sources.report(list(problems()))
