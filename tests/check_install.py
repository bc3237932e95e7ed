#!/usr/bin/env python3
"""That an installed tree can be used: a program is compiled and linked against it by pkg-config, shared and static.

usage: check_install.py BUILD_FOLDER HEADER_VERSION COMPILER...
"""
import os
import shutil
import subprocess
import sys
import tempfile

PROGRAM = """
#include <orch/orch.h>
#include <stdio.h>
#include <string.h>

static int one(struct orch_call *call, void *user)
{
    (void)user;
    return orch_call_set_int(call, "n", 1);
}

int main(void)
{
    struct orch_error err = ORCH_ERROR_INIT;

    struct orch_engine *engine = NULL;
    struct orch_workflow *workflow = NULL;

    if (strcmp(orch_version(), ORCH_VERSION) != 0 || err.code != 0) return 1;
    if (orch_engine_open(NULL, NULL, &engine, &err) || orch_workflow_new("one", NULL, &workflow, &err) ||
        orch_workflow_add_function(workflow, NULL, one, NULL, NULL, &err) ||
        orch_workflow_add_shell(workflow, NULL, "true", NULL, &err) || orch_execution_run(engine, workflow, NULL, NULL, &err))
        return fprintf(stderr, "%s\\n", err.message), 1;
    orch_workflow_free(workflow);
    orch_engine_close(engine);
    return printf("%s %s\\n", orch_version(), orch_error_name(ORCH_ERR_NOT_FOUND)) < 0;
}
"""


def run(command, env=None):
    result = subprocess.run(command, capture_output=True, text=True, env=env)
    if result.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}\n{result.stdout}{result.stderr}")
    return result.stdout


def find(root, name):
    for folder, _, names in os.walk(root):
        if name in names:
            return os.path.join(folder, name)
    sys.exit(f"{name} was not installed under {root}")


def main():
    build, version, compilers = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3:]
    with tempfile.TemporaryDirectory(dir=build, prefix="install-") as root:
        run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", root])
        config = find(root, "orch.pc")
        library = os.path.dirname(find(root, "liborch.so.0"))
        header = find(root, "orch.h")
        program = find(root, "orch")
        prefix = os.path.dirname(os.path.dirname(os.path.dirname(header)))
        only_static = os.path.join(root, "only-static")
        os.mkdir(only_static)
        shutil.copy(find(root, "liborch.a"), only_static)
        source = os.path.join(root, "program.c")
        open(source, "w", encoding="utf-8").write(PROGRAM)
        env = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(config))
        expected = f"{version} NOT_FOUND\n"

        got = run(["pkg-config", "--modversion", "orch"], env).strip()
        if got != version:
            sys.exit(f"orch.pc says version {got}, not {version}")
        for compiler in compilers:
            language = ["-x", "c++"] if "++" in os.path.basename(compiler) else ["-x", "c"]
            for kind, folder, flags in (("shared", library, []), ("static", only_static, ["--static"])):
                ask = ["pkg-config", f"--define-variable=prefix={prefix}", f"--define-variable=libdir={folder}"]
                cflags = run(ask + ["--cflags", "orch"], env).split()
                libs = run(ask + flags + ["--libs", "orch"], env).split()
                output = os.path.join(root, f"program-{os.path.basename(compiler)}-{kind}")
                run([compiler, "-Wall", "-Wextra", "-Werror", *cflags, *language, source, "-x", "none", "-o", output, *libs])
                answer = run([output], dict(os.environ, LD_LIBRARY_PATH=folder if kind == "shared" else ""))
                if answer != expected:
                    sys.exit(f"{compiler}, {kind}: {answer!r}, not {expected!r}")
                needed = run(["readelf", "-d", output])
                if ("liborch.so.0" in needed) != (kind == "shared"):
                    sys.exit(f"{compiler}, {kind}: linked otherwise than asked")
                print(f"{os.path.basename(compiler)} {kind}: works")
        if run([program, "eval", "1 + 1"]).strip() != "2":
            sys.exit("the installed orch does not work")
    return 0


if __name__ == "__main__":
    sys.exit(main())
