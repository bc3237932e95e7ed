#!/usr/bin/env python3
"""That what is shipped is hardened: position independent, full RELRO, no executable stack, stack protector, FORTIFY.

usage: check_hardening.py READELF FILE...
"""
import re
import subprocess
import sys


def ask(readelf, *arguments):
    return subprocess.run([readelf, "-W", *arguments], check=True, capture_output=True, text=True).stdout


def check(header, segments, dynamic, symbols, is_library):
    """The protections a file lacks, from readelf's answers."""
    missing = []
    undefined = {line.split()[-1].split("@")[0] for line in symbols.splitlines() if " UND " in line and len(line.split()) >= 8}
    # readelf prints "@GLIBC_2.4 (3)" for some.
    undefined |= set(re.findall(r" UND (\w+)", symbols))
    flags = " ".join(re.findall(r"\((?:FLAGS|FLAGS_1)\)\s*(.*)", dynamic))

    def want(what, holds):
        if not holds:
            missing.append(what)

    want("position independent (DYN)", "DYN" in (re.search(r"Type:\s*(\S+)", header) or [""])[0])
    want("position independent (PIE)", is_library or "PIE" in flags)
    want("RELRO", "GNU_RELRO" in segments)
    want("BIND_NOW (full RELRO)", "NOW" in flags)
    stack = re.search(r"GNU_STACK.*", segments)
    want("a stack that is not executable", stack and not re.search(r" R?W?E ", stack[0]))
    want("no segment both writable and executable", not re.search(r"LOAD.* RWE ", segments))
    want("no text relocations", "TEXTREL" not in dynamic)
    want("no search path for libraries", "(RPATH)" not in dynamic and "(RUNPATH)" not in dynamic)
    want("the stack protector", "__stack_chk_fail" in undefined)
    want("FORTIFY", any(name.startswith("__") and name.endswith("_chk") for name in undefined))
    return missing


def self_test():
    """Something that has nothing lacks everything."""
    nothing = check("Type: EXEC (Executable file)", "LOAD 0x0 RWE 0x1000\nGNU_STACK 0x0 RWE 0x10", " (TEXTREL) 0x0\n (RPATH) x", "", False)
    assert len(nothing) == 10, nothing


def main():
    readelf, files = sys.argv[1], sys.argv[2:]
    failed = False
    self_test()
    for path in files:
        missing = check(ask(readelf, "-h", path), ask(readelf, "-l", path), ask(readelf, "-d", path), ask(readelf, "--dyn-syms", path), ".so" in path)
        for what in missing:
            print(f"{path} lacks {what}")
        failed |= bool(missing)
        print(f"{path}: {'hardened' if not missing else 'not hardened'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
