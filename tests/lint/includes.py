#!/usr/bin/env python3
"""Who may include whom: the table of the project's style guide, as data.

Also: a .c includes its own header first, our headers are named from the root,
and no header is an umbrella for others of another room.
"""

import re

import sources

# Libraries outside libc, by the header that betrays them.
LIBRARIES = {
    "uv": r"uv\.h",
    "seccomp": r"seccomp\.h",
    "cap-ng": r"cap-ng\.h",
    "mnl": r"libmnl/",
    "nftnl": r"libnftnl/",
    "compress": r"(zlib|bzlib|lzma)\.h",
    "cmocka": r"cmocka\.h",
    "bpf": r"bpf/",
}
SOCKETS = r"sys/(socket|un|uio)\.h|netdb\.h|poll\.h|sys/(epoll|select)\.h"
CLOCKS = r"time\.h|sys/(time|timerfd|timex)\.h"
NEITHER = f"{SOCKETS}|{CLOCKS}"

# room: our headers it may name (prefixes), libraries, system headers it may not
RULES = {
    "common": (["common/"], [], None),
    "proto": (["common/", "proto/"], ["compress"], None),
    "proto/priv": (["common/", "proto/priv/"], [], None),
    "proto/record": (["common/", "proto/record/"], ["compress"], SOCKETS),
    "common/sandbox": (["common/"], ["seccomp"], None),
    "firewall": (["firewall/", "proto/priv/", "common/"], ["mnl", "nftnl"], None),
    "privd": (["privd/", "firewall/", "proto/priv/", "common/", "vantage-paths.h"],
              ["cap-ng"], None),
    "workerd": (["workerd/", "proto/", "common/", "vantage-paths.h"],
                ["uv", "seccomp", "cap-ng"], None),
    "workerd/probe": (["workerd/probe/", "workerd/privcli.h", "proto/priv/", "common/"], ["uv", "mnl"], None),
    "workerd/out": (["workerd/out/", "proto/", "common/"], ["uv", "compress"], None),
    "workerd/slice": (["workerd/slice/", "proto/", "common/"], ["uv"], None),
    "workerd/statsrv": (["workerd/statsrv/", "proto/", "common/"], ["uv"], None),
    "workerd/ctl": (["workerd/ctl/", "workerd/meas/meas.h", "workerd/slice/slice.h", "workerd/out/",
                     "workerd/probe/engine.h", "workerd/probe/task.h", "proto/", "common/"], ["uv"], None),
    "workerd/meas": (["workerd/meas/meas.h", "workerd/probe/engine.h", "workerd/probe/task.h",
                      "proto/record/", "workerd/ctl/args.h", "common/"], [], NEITHER),
    "client": (["client/", "proto/", "common/", "vantage-paths.h"], ["compress"], None),
}
NOT_IN_PRIVD = ("common/packet/",)
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^">]+)[">]', re.M)


def rule_of(path):
    folder = path.rsplit("/", 1)[0]
    while folder not in RULES and "/" in folder:
        folder = folder.rsplit("/", 1)[0]
    ours, libs, banned = RULES[folder]
    if folder == "workerd/meas":  # a measurement sees its own folder, no other
        ours = ours + [path.rsplit("/", 1)[0] + "/"]
    return folder, ours, libs, banned


def check_ours(path, name):
    folder, ours, _, banned = rule_of(path)
    if not any(name == o or (o.endswith("/") and name.startswith(o)) for o in ours):
        yield f"{path}: {folder} may not include {name}"
    if folder == "privd" and name.startswith(NOT_IN_PRIVD):
        yield f"{path}: privd parses no packets, yet includes {name}"
    if banned == NEITHER and name == "common/clock.h":
        yield f"{path}: {folder} is told the time, yet includes {name}"
    if name != "vantage-paths.h" and not (sources.root() / name).is_file():
        yield f"{path}: no {name} at the root: name our headers from there"


def check_system(path, name):
    folder, _, libs, banned = rule_of(path)
    for lib, pattern in LIBRARIES.items():
        if re.match(pattern, name) and lib not in libs:
            yield f"{path}: {folder} may not use {lib} ({name})"
    if banned and re.fullmatch(banned, name):
        yield f"{path}: {folder} touches no socket and no clock, yet includes {name}"


def check_own_first(path, names):
    own = path[:-2] + ".h"
    if path.endswith(".c") and (sources.root() / own).is_file() and names[:1] != [own]:
        yield f"{path}: must include {own} first"


def problems():
    for path, text in sources.files(rooms=("common", "proto", "firewall", "privd", "workerd", "client")):
        found = INCLUDE.findall(text)
        yield from check_own_first(path, [name for _, name in found])
        for quote, name in found:
            yield from (check_ours if quote == '"' else check_system)(path, name)


if __name__ == "__main__":
    sources.report(list(problems()))
