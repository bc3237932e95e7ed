#!/usr/bin/env python3
"""That the libraries show nothing but the API: every name that others can see begins with orch_.

usage: check_symbols.py NM HEADER SHARED_LIBRARY STATIC_LIBRARY

And that both define every function the public header declares.
"""
import re
import subprocess
import sys

# What the linker puts into every shared library.
LINKER = {"_init", "_fini", "__bss_start", "_edata", "_end", "__end__"}


def defined(nm, arguments):
    text = subprocess.run([nm, "--defined-only", *arguments], check=True, capture_output=True, text=True).stdout
    return {words[2].split("@")[0] for words in (line.split() for line in text.splitlines()) if len(words) == 3}


def main():
    nm, header, shared, static = sys.argv[1:]
    declared = set(re.findall(r"ORCH_API [^;{(]*?(orch_\w+)\(", open(header, encoding="utf-8").read()))
    failed = False
    if "orch_version" not in declared:
        sys.exit(f"found no declaration in {header}")
    for path, arguments in ((shared, ["-D", shared]), (static, ["-g", static])):
        names = defined(nm, arguments) - LINKER
        foreign = sorted(name for name in names if not name.startswith("orch_"))
        undeclared = sorted(name for name in names - set(foreign) - declared)
        missing = sorted(declared - names)
        for what, found in (("shows", foreign), ("shows, though the header does not declare it,", undeclared), ("lacks", missing)):
            for name in found:
                print(f"{path} {what} {name}")
                failed = True
        print(f"{path}: {len(names)} names")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
