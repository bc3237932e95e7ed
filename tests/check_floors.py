#!/usr/bin/env python3
"""Who includes whom: the floors of docs/architecture.md, and that each header stands alone.

usage: check_floors.py SOURCE_ROOT [COMPILER...]

A file includes its own folder and the floors below it; folders on one floor do not know each other; include/orch/ is for all.
The pure folders take nothing from the system but what the list allows. A source file includes its own header first. With
compilers, every header is compiled alone, and the public one as C11 and C++ too.
"""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

FLOORS = [
    ["base"],
    ["lang"],
    ["core", "layout"],
    ["sys"],
    ["store", "actions", "mesh", "bus", "observe"],
    ["engine"],
    ["sim"],
    ["http", "api", "mcp", "cli", "lib"],
]
LEVEL = {folder: level for level, floor in enumerate(FLOORS) for folder in floor}
PURE = {"base", "lang", "core", "layout"}
# stdio is for snprintf: check_pure.py sees what is called.
PURE_SYSTEM = {
    "assert.h", "errno.h", "float.h", "inttypes.h", "limits.h", "math.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h",
    "stdio.h", "stdlib.h", "string.h", "yaml.h", "pcre2.h", "sanitizer/asan_interface.h",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.M)


def sources(root):
    for folder, folders, names in os.walk(os.path.join(root, "src")):
        folders.sort()
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                path = os.path.join(folder, name)
                yield os.path.relpath(path, os.path.join(root, "src")), open(path, encoding="utf-8").read()


def check_includes(files):
    """One line for each include that may not be. `files` maps "folder/name" to text."""
    problems = []
    for path, text in sorted(files.items()):
        folder = path.split("/")[0]
        if folder not in LEVEL:
            problems.append(f"src/{path}: the folder {folder} is on no floor: add it to FLOORS")
            continue
        found = INCLUDE.findall(text)
        for quoted, system in found:
            if system:
                if folder in PURE and system not in PURE_SYSTEM and not system.startswith("orch/"):
                    problems.append(f"src/{path}: <{system}> is none of the headers a pure folder may use")
                continue
            target = quoted if "/" in quoted else f"{folder}/{quoted}"
            other = target.split("/")[0]
            if other not in LEVEL:
                problems.append(f'src/{path}: "{quoted}" is in no folder of src/')
            elif other != folder and LEVEL[other] >= LEVEL[folder]:
                where = "above" if LEVEL[other] > LEVEL[folder] else "beside"
                problems.append(f'src/{path}: "{quoted}" is {where} {folder}')
        own = path[:-2] + ".h"
        if path.endswith(".c") and own in files:
            first = found[0][0] if found else ""
            # The inside of a module or a folder includes it in turn.
            through = files.get(first if "/" in first else f"{folder}/{first}", "")
            if os.path.basename(first) != os.path.basename(own) and f'"{own}"' not in through and f'"{os.path.basename(own)}"' not in through:
                problems.append(f"src/{path}: its own header comes first")
    return problems


def compile_alone(job):
    command, text, name = job
    result = subprocess.run(command + ["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-"], input=text, text=True, capture_output=True)
    return "" if result.returncode == 0 else f"{name} does not stand alone ({command[0]}):\n{result.stderr}"


def check_headers(root, files, compilers):
    flags = ["-D_GNU_SOURCE", "-I" + os.path.join(root, "include"), "-I" + os.path.join(root, "src"), "-Wno-unused-function"]
    jobs = []
    for compiler in compilers:
        is_cxx = "++" in os.path.basename(compiler)
        public = '#include <orch/orch.h>\nint main(void) { return orch_version() == 0; }\n'
        for name in os.listdir(os.path.join(root, "include/orch")):
            text = f"#include <orch/{name}>\n#include <orch/{name}>\n"
            std = ["-x", "c++", "-std=c++11"] if is_cxx else ["-x", "c", "-std=c11"]
            jobs.append(([compiler] + std + ["-pedantic-errors", "-I" + os.path.join(root, "include")], text, f"include/orch/{name}"))
        jobs.append(([compiler] + (["-x", "c++"] if is_cxx else ["-x", "c"]) + ["-I" + os.path.join(root, "include")], public, "orch.h"))
        if is_cxx:
            continue
        for path in sorted(files):
            # Lists (X-macro tables) are included in the middle of something: they say so in their first lines.
            if path.endswith(".h") and "/* list:" not in files[path][:400]:
                text = f'#include "{path}"\n#include "{path}"\ntypedef int not_empty;\n'
                jobs.append(([compiler, "-x", "c", "-std=gnu17"] + flags, text, f"src/{path}"))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return [problem for problem in pool.map(compile_alone, jobs) if problem], len(jobs)


def self_test():
    """The rules find what they are for."""
    wrong = {
        "base/a.h": "", "lang/b.h": "", "engine/e.h": "", "store/s.h": "", "actions/x.h": "",
        "base/a.c": '#include <stdint.h>\n#include "base/a.h"\n',
        "base/up.c": '#include "lang/b.h"\n',
        "base/clock.c": "#include <time.h>\n",
        "store/beside.c": '#include "actions/x.h"\n',
        "nowhere/y.c": "",
        "cli/z.c": '#include "../engine/e.h"\n',
    }
    expected = ["src/base/a.c", "src/base/clock.c", "src/base/up.c", "src/cli/z.c", "src/nowhere/y.c", "src/store/beside.c"]
    found = [problem.split(":")[0] for problem in check_includes(wrong)]
    assert found == expected, found
    right = {"base/a.h": "", "engine/e.c": '#include "e.h"\n#include <time.h>\n#include "base/a.h"\n#include <orch/orch.h>\n', "engine/e.h": ""}
    assert check_includes(right) == [], check_includes(right)


def main():
    root, compilers = sys.argv[1], sys.argv[2:]
    self_test()
    files = dict(sources(root))
    if len(files) < 10:
        sys.exit(f"only {len(files)} source files under {root}/src")
    problems = check_includes(files)
    headers, count = check_headers(root, files, compilers)
    for problem in problems + headers:
        print(problem)
    print(f"{len(files)} files, {count} headers compiled alone: {len(problems) + len(headers)} problems")
    return 1 if problems or headers else 0


if __name__ == "__main__":
    sys.exit(main())
