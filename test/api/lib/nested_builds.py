"""Calls of LLVM's builder in the argument list of another: nested_builds.py FILE...

In which order C evaluates arguments is open, and so would be the order of the instructions. Prints each such call, and
how many it has looked at.
"""

import re
import sys

BUILD = re.compile(r"\bLLVMBuild(?!er)\w+\(")


def arguments(text, start):
    """What stands between the parenthesis that ends at `start` and its partner."""
    depth, end = 1, start
    while depth > 0 and end < len(text):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    return text[start:end]


def main():
    count = 0
    for path in sys.argv[1:]:
        text = open(path, encoding="utf-8").read()
        for call in BUILD.finditer(text):
            count += 1
            inner = BUILD.search(arguments(text, call.end()))
            if inner:
                line = text.count("\n", 0, call.start()) + 1
                print(f"{path}:{line}: {inner.group()}...) is an argument of {call.group()}...)")
    print(count, "calls of the builder")


main()
