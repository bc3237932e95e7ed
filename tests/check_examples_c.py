#!/usr/bin/env python3
"""The examples in C: each is compiled with every compiler there is, as C11 and as C++, linked with the library, and run; with valgrind too.

usage: check_examples_c.py [--valgrind] SOURCE_ROOT BUILD_ROOT ORCH COMPILER...
"""
import os
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77  # of Meson


def run(command, **more):
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, **more)
    if result.returncode != 0:
        sys.exit(f"failed ({result.returncode}): {' '.join(command)}\n{result.stdout}{result.stderr}")
    return result.stdout


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what} wrote\n{got}instead of\n{wanted}")


def try_all(folder, orch, side, before):
    """Runs the compiled examples and looks at what they write."""
    expect("etl", run(before + [os.path.join(folder, "etl")]),
           'transform: 150 users, at the second try\nsucceeded, 3 of 3 tasks: {"report":{"users":300}}\n')
    got = run(before + [os.path.join(folder, "million"), str(side)])
    cells = [[1] * side for _ in range(side)]
    for y in range(1, side):
        for x in range(1, side):
            cells[y][x] = (cells[y - 1][x] + cells[y][x - 1]) % 1000000007
    expect("million", got, f"{side * side} tasks succeeded, the last cell is {cells[-1][-1]}\n")
    expect("event_loop", run(before + [os.path.join(folder, "event_loop")]),
           'succeeded: {"double":40}\n' * 3 + "the timer ticked meanwhile\n")
    files = []
    for name, count in (("a b.txt", 3), ("c.txt", 4)):
        files.append(os.path.join(folder, name))
        open(files[-1], "w", encoding="utf-8").write("line\n" * count)
    definition = os.path.join(folder, "count.yaml")
    open(definition, "w", encoding="utf-8").write(run(before + [os.path.join(folder, "generate"), *files]))
    run([orch, "validate", definition])
    expect("orch run", run([orch, "run", definition, "--progress", "quiet"], cwd=folder).strip(), "7")


def main():
    arguments = sys.argv[1:]
    with_valgrind = arguments[0] == "--valgrind"
    root, build, orch, *compilers = arguments[with_valgrind:]
    orch = os.path.abspath(orch)
    if with_valgrind and not shutil.which("valgrind"):
        print("valgrind is not installed: scripts/setup.sh test installs it")
        return SKIPPED
    examples = os.path.join(root, "examples", "c")
    sources = sorted(name for name in os.listdir(examples) if name.endswith(".c"))
    if sources != ["etl.c", "event_loop.c", "generate.c", "million.c"]:
        sys.exit(f"other examples than this test knows: {sources}")
    for compiler in compilers[:1] if with_valgrind else compilers:
        is_cxx = "++" in os.path.basename(compiler)
        language = ["-x", "c++", "-std=c++11"] if is_cxx else ["-x", "c", "-std=c11", "-D_DEFAULT_SOURCE"]
        with tempfile.TemporaryDirectory(dir=build, prefix="examples-") as folder:
            for name in sources:
                run([compiler, *language, "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I" + os.path.join(root, "include"),
                     os.path.join(examples, name), "-x", "none", "-o", os.path.join(folder, name[:-2]), "-L" + build, "-lorch",
                     "-Wl,-rpath," + build])
            if with_valgrind:
                before = ["valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite,possible",
                          "--child-silent-after-fork=yes"]
                try_all(folder, orch, 60, before)
            else:
                try_all(folder, orch, 1000, [])
        print(f"{os.path.basename(compiler)}: {len(sources)} examples work{' under valgrind' if with_valgrind else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
