#!/usr/bin/env python3
"""A table that says it is sorted is: after a comment that begins with "Sorted",
the first strings of the next table's rows ascend, each once. A file that calls
bsearch says where its sorted table is, or takes one as a parameter."""

import re

import sources

TABLE = re.compile(r"/\*\s*Sorted\b.*?\*/.*?\{\n(.*?)^\};", re.S | re.M | re.I)
ROW = re.compile(r'^\s*\{?\s*(?:\.name = )?"((?:\\.|[^"\\])*)"', re.M)


def table_problems(path, text):
    for match in TABLE.finditer(text):
        keys = ROW.findall(match.group(1))
        line = text.count("\n", 0, match.start()) + 1
        if len(keys) < 2:
            yield f"{path}:{line}: says sorted, but no rows that begin with a string follow"
        for one, two in zip(keys, keys[1:]):
            if one.encode() >= two.encode():
                yield f'{path}:{line}: "{two}" may not follow "{one}"'


def problems():
    for path, text in sources.files(rooms=("common", "proto", "privd", "workerd", "client")):
        yield from table_problems(path, text)


if __name__ == "__main__":
    sources.report(list(problems()))
