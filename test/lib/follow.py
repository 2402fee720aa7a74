"""Does what a program's opening comment says: follow.py FILE PREFIX COMPILER

The comment has commands, each behind a `$` and on lines that a backslash continues. They run in the file's directory as
in a user's shell, with memfold installed in PREFIX and COMPILER as `cc`; what they print is printed. It ends with the
status of the first that fails.
"""

import os
import re
import subprocess
import sys

LEADER = re.compile(r"^\s*(?:\*|//!?|#)? *")


def commands(path):
    """The commands of the first comment, or of the first text in quotes."""
    shown, continues = [], False
    for line in open(path, encoding="utf-8"):
        text = LEADER.sub("", line).rstrip()
        if continues:
            shown[-1] += " " + text
        elif text.startswith("$ "):
            shown.append(text[2:])
        continues = bool(shown) and shown[-1].endswith("\\")
        shown[-1:] = [shown[-1].rstrip("\\")] if shown else []
    return shown


def environment(prefix, compiler, directory):
    links = os.path.join(directory, "bin")
    os.makedirs(links, exist_ok=True)
    cc = os.path.join(links, "cc")
    if not os.path.lexists(cc):
        os.symlink(compiler, cc)
    paths = {
        "PATH": f"{links}:{prefix}/bin:{os.environ['PATH']}",
        "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig",
        "LD_LIBRARY_PATH": f"{prefix}/lib",
        "CMAKE_PREFIX_PATH": prefix,
        "CC": compiler,
    }
    return {**os.environ, **paths}


def main():
    path, prefix, compiler = sys.argv[1:]
    directory = os.path.dirname(os.path.abspath(path))
    shown = commands(path)
    if not shown:
        sys.exit(f"{path}: no command in it")
    for command in shown:
        print("$", command, flush=True)
        status = subprocess.run(["bash", "-ec", command], cwd=directory, env=environment(prefix, compiler, directory),
                                stdin=subprocess.DEVNULL).returncode
        if status != 0:
            sys.exit(f"{path}: status {status}: {command}")


main()
