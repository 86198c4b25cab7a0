#!/usr/bin/env python3
"""Every header compiles alone, and has a guard named for its path.
usage: headers.py BUILD_DIR CC [FLAG...]"""

import concurrent.futures
import subprocess
import sys

import sources


def compile_alone(path, build, compiler):
    program = f'#include "{path}"\n#include "{path}"\n'
    command = compiler + ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
                          "-D_GNU_SOURCE", "-fsyntax-only", f"-I{sources.root()}", f"-I{build}",
                          f"-I{(sources.root() / path).parent}", "-x", "c", "-"]
    done = subprocess.run(command, input=program, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"{path} does not compile alone:\n{done.stderr}"


def guard_problem(path, text):
    guard = "VANTAGE_" + path.upper().replace("/", "_").replace(".", "_").replace("-", "_")
    if f"#ifndef {guard}\n#define {guard}\n" in text:
        return None
    return f"{path}: no guard {guard}"


def main():
    build, compiler = sys.argv[1], sys.argv[2:]
    headers = list(sources.files((".h",)))
    problems = [guard_problem(path, text) for path, text in headers]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        problems += pool.map(lambda h: compile_alone(h[0], build, compiler), headers)
    sources.report([p for p in problems if p])


if __name__ == "__main__":
    main()
