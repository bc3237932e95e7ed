#!/usr/bin/env python3
"""That the pure archive is pure: it asks the system for memory, strings and arithmetic only.

usage: check_pure.py NM ARCHIVE SOURCE_ROOT

Every undefined symbol of every object must be on the list below or declared in a pure folder's header. A clock, a file, the environment, the
locale, a socket, a thread or chance comes from a symbol that is not; it is named with the object that wants it.
"""
import fnmatch
import glob
import re
import subprocess
import sys

ALLOWED = """
malloc calloc realloc free abort qsort bsearch
memcpy memmove memset bcmp memcmp memchr memrchr memmem strlen strnlen strcmp strncmp strchr strrchr strstr strspn strcspn strerrordesc_np
snprintf vsnprintf
floor ceil trunc round rint nearbyint fmod pow exp exp2 log log2 log10 sqrt cbrt frexp ldexp scalbn modf fabs copysign nextafter fma fmin fmax
isnan isinf finite __isnan __isinf __finite __signbit
__memcpy_chk __memmove_chk __memset_chk __snprintf_chk __vsnprintf_chk
__stack_chk_fail _GLOBAL_OFFSET_TABLE_ __tls_get_addr __cpu_model __cpu_indicator_init __popcountdi2 __udivti3 __umodti3 __divti3 __modti3 __divmodti4 __muloti4 __floattidf
yaml_* pcre2_*
""".split()
# These read or write files.
REFUSED = ["yaml_parser_set_input_file", "yaml_emitter_set_output_file"]
# An assertion that fails says why before it ends the program.
EXCEPTIONS = {"src_base_error.c.o": {"fputs", "stderr"}}


def symbols(text):
    """(object, symbol, kind) of every line of nm -A's answer: "archive:object:address kind name"."""
    for line in text.splitlines():
        head, _, rest = line.rpartition(":")
        words = rest.split()
        if len(words) >= 2:
            yield head.split(":")[-1].split("/")[-1], words[-1], words[-2]


def declared_in(root):
    """Names of functions in the headers of the pure folders."""
    names = set()
    for folder in ("base", "lang", "core", "layout"):
        for path in glob.glob(f"{root}/src/{folder}/*.h"):
            text = re.sub(r"/\*.*?\*/", "", open(path, encoding="utf-8").read(), flags=re.S)
            names |= set(re.findall(r"^[a-z_][\w *]*?(\w+)\([^;{}]*;", text, flags=re.M | re.I))
    return names


def check(text, declared):
    found = list(symbols(text))
    defined = declared | {name for _, name, kind in found if kind not in "Uwv"}
    problems = []
    for where, name, kind in found:
        if kind not in "Uwv" or name in defined or name in EXCEPTIONS.get(where, ()):
            continue
        if name in REFUSED or not any(fnmatch.fnmatchcase(name, pattern) for pattern in ALLOWED):
            problems.append(f"{where} wants {name}, which is not pure")
    return problems, len(found)


def self_test():
    sample = "lib.a:a.c.o:                 U clock_gettime\nlib.a:a.c.o:                 U memcpy\nlib.a:a.c.o:0000000000000010 T mine\n" \
             "lib.a:b.c.o:                 U mine\nlib.a:b.c.o:                 U other\nlib.a:b.c.o:                 U stderr\nlib.a:src_base_error.c.o:                 U stderr\n" \
             "lib.a:b.c.o:                 U yaml_parser_parse\nlib.a:b.c.o:                 U yaml_parser_set_input_file\nlib.a:c.c.o:                 w getenv\n"
    problems, _ = check(sample, {"other"})
    assert [p.split(",")[0] for p in problems] == ["a.c.o wants clock_gettime", "b.c.o wants stderr", "b.c.o wants yaml_parser_set_input_file", "c.c.o wants getenv"], problems


def main():
    self_test()
    text = subprocess.run([sys.argv[1], "-A", sys.argv[2]], check=True, capture_output=True, text=True).stdout
    problems, count = check(text, declared_in(sys.argv[3]))
    if count < 100:
        sys.exit(f"only {count} symbols in {sys.argv[2]}")
    for problem in problems:
        print(problem)
    print(f"{count} symbols: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
