#!/usr/bin/env python3
"""What the style guide never wants to see, as far as a pattern can tell."""

import re

import sources

# pattern, why, where it is allowed
NEVER = [
    (r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|strtok)\s*\(", "unbounded or unchecked", ()),
    (r"\b(strtol|strtoul|strtoll|strtoull)\s*\(", "numbers are parsed by strnum", ("common/strnum.c", "tests/")),
    (r"\balloca\s*\(", "stack of foreign size", ()),
    (r"\b(system|popen|execlp|execvp|execvpe)\s*\(", "runs what it finds by name", ("tests/",)),
    (r"\bsleep\s*\(", "a test that sleeps", ()),
    (r"\buv_now\s*\(", "times are nsec_t, passed in as now", ()),
    (r"\b(getenv)\s*\(", "the helper reads no environment", ("client/", "workerd/", "common/", "tests/")),
    (r"\btypedef\s+(struct|union|enum)\b", "no typedef for structs", ()),
    (r"^\s*#\s*pragma\b(?!\s+GCC diagnostic)", "no pragma", ()),
    (r"^\s*#\s*if\s+0\b", "commented-out code", ()),
]


def strip(text):
    """Without comments and string literals, line numbers kept."""
    blank = lambda m: "\n" * m.group().count("\n")
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    return re.sub(r"/\*.*?\*/|//[^\n]*", blank, text, flags=re.S)


def problems():
    for path, text in sources.files():
        bare = strip(text)
        for pattern, why, allowed in NEVER:
            if allowed and path.startswith(allowed):
                continue
            for match in re.finditer(pattern, bare, re.M):
                line = bare.count("\n", 0, match.start()) + 1
                yield f"{path}:{line}: {match.group().strip()}: {why}"
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"[ \t]$", line):
                yield f"{path}:{number}: blanks at the end"


if __name__ == "__main__":
    sources.report(list(problems()))
