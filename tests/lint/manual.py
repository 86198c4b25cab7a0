#!/usr/bin/env python3
"""What a table of options or words has, the manual page of its program has."""

import re

import sources

LETTER = re.compile(r"^\s*\{ '([^'])',", re.M)
NAME = re.compile(r'^\s*\{ (?:\'.\'|0), "([a-z-]+)"', re.M)
WORD = re.compile(r'^\s*\{ "([^"]+)",', re.M)
PROCESSES = (("vantage-privd.8", "privd/main.c", "options"),
             ("vantage-workerd.8", "workerd/options.c", "longopts"))
COMMON = "Common to both are:"


def read(path):
    return (sources.root() / path).read_text(encoding="utf-8")


def table(path, name):
    return re.search(r"\b%s\[[A-Z_]*\] = \{\n(.*?)^\};" % name, read(path), re.S | re.M).group(1)


def lacks(page, text, form, words):
    return [f"docs/{page}: nothing of '{w}'" for w in words
            if not re.search(form % re.escape(w), text, re.M)]


def measurements(page):
    """A measurement's options are below its heading, or common to both."""
    common, *rest = re.split(r"^\.Ss (\w+)\n", re.split(
        r"^\.Sh ", page.split(COMMON)[1], flags=re.M)[0], flags=re.M)
    for name, section in zip(rest[::2], rest[1::2]):
        rows = table(f"workerd/meas/{name}/args.c", f"{name}_args")
        for problem in lacks("vantage.1", common + section, r"^\.It Fl %s\b", LETTER.findall(rows)):
            yield f"{problem}, an option of {name}"
        words = read(f"workerd/meas/{name}/args.c").split(f"{name}_args[]")[0]
        yield from lacks("vantage.1", section, r"Cm (.* )?%s\b",
                         [w.lower() for w in WORD.findall(words)])


def problems():
    page = read("docs/vantage.1")
    rows = table("client/opts.c", "opt_specs")
    options = page.split(".Sh MEASUREMENTS")[0]
    yield from lacks("vantage.1", options, r"^\.[IF][tl] (.*Fl )?(\\&)?%s( |$)", LETTER.findall(rows))
    yield from lacks("vantage.1", options, r"^\.It .*Fl -%s( |$)", NAME.findall(rows))
    yield from lacks("vantage.1", page, r"Cm (.* )?%s\b",
                     [w.rstrip("=") for w in WORD.findall(table("client/opts_extra.c", "extras"))])
    yield from measurements(page)
    page = read("docs/vantage.conf.5")
    yield from lacks("vantage.conf.5", page, r"^\.It Ic %s ",
                     WORD.findall(table("common/conf.c", "conf_words")))
    yield from lacks("vantage.conf.5", page, r"^\.It Ic slice .*Cm %s\b",
                     WORD.findall(table("common/conf_slice.c", "keys")))
    page = read("docs/vantage-workerd.8")
    yield from lacks("vantage-workerd.8", page, r"^\.It .*Ic %s\b", WORD.findall(table("workerd/ctl/cmd.c", "cmds")))
    yield from lacks("vantage-workerd.8", page, r"^\.Cm .*\b%s\b",
                     WORD.findall(table("workerd/ctl/cmd_attach.c", "keys")))
    for name, path, rows in PROCESSES:
        yield from lacks(name, read("docs/" + name), r"^\.It .* -%s( |$)", WORD.findall(table(path, rows)))


if __name__ == "__main__":
    sources.report(list(problems()))
