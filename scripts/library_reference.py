#!/usr/bin/env python3
"""The reference of the library, made from the comments of its header: docs/library.md from the line "## Reference" on.

usage: library_reference.py [--check] ROOT

Writes it; with --check it only compares, and fails when it is old, or when something that is public has no comment.
"""
import os
import re
import sys

MARK = "## Reference\n"


def undocumented(header):
    """Public functions without a comment of their own right in front."""
    return [match.group(2) for match in re.finditer(r"(\*/\n)?ORCH_API [^;{(]*?(orch_\w+)\(", header) if not match.group(1)]


def public_names(header):
    names = set(re.findall(r"ORCH_API [^;{(]*?(orch_\w+)\(", header))
    names |= set(re.findall(r"^(?:struct|enum) (orch_\w+) \{", header, re.M))
    names |= set(re.findall(r"^struct (orch_\w+);", header, re.M))
    names |= set(re.findall(r"^typedef .*?\(\*(orch_\w+)\)", header, re.M))
    names |= set(re.findall(r"^typedef \w+ (orch_\w+);", header, re.M))
    return names


def lines_of(comment):
    """The text of a comment, without its stars."""
    text = re.sub(r"^/\*\*?|\*/$", "", comment.strip()).strip()
    return [re.sub(r"^\s*\* ?", "", line).rstrip() for line in text.split("\n")]


def prose(comment):
    """A comment as Markdown: paragraphs, then parameters, what is returned."""
    out, kind = [], "text"
    for line in lines_of(comment):
        match = re.match(r"@param\s+(\w+)\s+(.*)", line)
        returned = re.match(r"(.*?)@return\s+(.*)", line)
        if match:
            if kind != "list" and out and out[-1]:
                out.append("")
            out.append(f"- `{match.group(1)}`: {match.group(2)}")
            kind = "list"
        elif returned:
            if returned.group(1).strip():
                out.append(returned.group(1).strip())
            if kind == "text" and out and out[-1]:
                out.append("")
            out.append(f"- returns {returned.group(2)}")
            kind = "list"
        elif kind == "list" and line.strip():
            out[-1] += " " + line.strip()
        else:
            if kind == "list":
                kind = "text"
            out.append(line)
    text = "\n".join(out).strip()
    return re.sub(r"\n{3,}", "\n\n", text)


def reference(header):
    body = header[header.index("/** Microseconds: since"):header.rindex("#ifdef __cplusplus")]
    out = [MARK]
    # Comments, each with the declaration that follows it.
    pieces = re.split(r"(?m)^(?=/\*)", body)
    for piece in pieces:
        end = piece.find("*/")
        if end < 0:
            continue
        comment, code = piece[:end + 2], piece[end + 2:].strip("\n")
        if not comment.startswith("/**"):
            heading, *rest = lines_of(comment)
            rest = ([heading] + rest) if len(heading) > 60 or not heading.endswith(".") else rest
            if heading.endswith(".") and len(heading) <= 60:
                out.append(f"### {heading.rstrip('.')}\n")
            text = "\n".join(rest).strip()
            if text:
                out.append(text + "\n")
            if code.strip():
                out.append("```c\n" + code.strip() + "\n```\n")
            continue
        code = code.strip()
        if not code:
            continue
        out.append("```c\n" + re.sub(r"^ORCH_API ", "", code) + "\n```\n")
        out.append(prose(comment) + "\n")
    return "\n".join(out)


def self_test():
    assert undocumented("/** A. */\nORCH_API int orch_a(void);\n\nORCH_API int orch_b(int x);\n") == ["orch_b"]
    assert prose("/**\n * Do it.\n *\n * @param a  first\n *           and more\n * @return 0\n *\n * Threads: any.\n */") == \
        "Do it.\n\n- `a`: first and more\n- returns 0\n\nThreads: any."
    assert public_names("struct orch_x;\nstruct orch_y {\ntypedef int (*orch_f)(int);\ntypedef uint32_t orch_t;\n") == {"orch_x", "orch_y", "orch_f", "orch_t"}


def main():
    self_test()
    check, root = "--check" in sys.argv, sys.argv[-1]
    header = open(os.path.join(root, "include/orch/orch.h"), encoding="utf-8").read()
    path = os.path.join(root, "docs/library.md")
    text = open(path, encoding="utf-8").read()
    bare = undocumented(header)
    if bare:
        sys.exit(f"without a comment in orch.h: {', '.join(bare)}")
    begin = text.index(MARK)
    wanted = text[:begin] + reference(header)
    missing = sorted(name for name in public_names(header) if not re.search(rf"\b{name}\b", wanted[begin:]))
    if missing:
        sys.exit(f"not in the reference: {', '.join(missing)}")
    if not check:
        open(path, "w", encoding="utf-8").write(wanted)
    elif text != wanted:
        sys.exit("docs/library.md is older than orch.h: python3 scripts/library_reference.py .")
    print(f"{len(public_names(header))} public names, each documented")
    return 0


if __name__ == "__main__":
    sys.exit(main())
