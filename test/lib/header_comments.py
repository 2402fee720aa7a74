"""The comments of public headers, for the tests that hold them to their word.

header_comments.py examples DIRECTORY HEADER...   writes the example of each header's first comment to DIRECTORY
header_comments.py check HEADER...                names what is declared without a comment directly above it, or above
                                                  the group of lines without a blank one that it stands in, and items
                                                  of lists that go on at the margin
header_comments.py functions HEADER...            the functions that `check` has looked at
"""

import os
import re
import sys

COMMENT = re.compile(r"/\*.*?\*/", re.S)
EXAMPLE = re.compile(r"^ \*.*Example\b[^\n]*:\n \*\n((?: \*     .*\n| \*\n)+)", re.M)
FUNCTION = re.compile(r"^(?!typedef)(?:[\w ]+[\s*]+)?(mf_\w+)\(", re.M)
BROKEN_ITEM = re.compile(r"^ \* (?: +|- )\S.*\n \* [a-z(,.].*", re.M)  # as clang-format leaves an item that was too long
DECLARED = (
    FUNCTION,
    re.compile(r"^typedef [^\n]*?\b(\w+)(?:\(.*)?;$", re.M),
    re.compile(r"^typedef (?:struct|enum) (\w+) {", re.M),
    re.compile(r"^#define (?!MF_X\b)(MF_\w+)", re.M),  # MF_X is what expands a list, and gone after it
    re.compile(r"^extern (?:[\w ]+[\s*]+)(mf_\w+);", re.M),
)


def groups(text):
    """The runs of lines without a blank one. A line of a comment is `/`; what is inside of braces is left out."""
    code = COMMENT.sub(lambda comment: re.sub(r"(?m)^.*", "/", comment.group()), text)
    code = re.sub(r"\\\n", " ", code)
    code = re.sub(r"^([ }]|#(if|ifdef|ifndef|else|endif|undef)\b).*\n", "", code, flags=re.M)
    return re.split(r"\n\n+", code)


def declarations(path, patterns):
    """Each name that is declared, and whether there is a comment above its group."""
    text = open(path, encoding="utf-8").read()
    guard = re.search(r"#ifndef (MEMFOLD_\w+)", text).group(1)
    for group in groups(text):
        names = [name for pattern in patterns for name in pattern.findall(group) if name != guard]
        for name in dict.fromkeys(names):
            yield name, group.startswith("/")


def example(path):
    first = COMMENT.search(open(path, encoding="utf-8").read()).group()
    found = EXAMPLE.search(first)
    return found and re.sub(r"^ \*(?:     )?", "", found.group(1), flags=re.M).rstrip() + "\n"


def write_examples(directory, paths):
    for path in paths:
        text = example(path)
        if text:
            name, kind = os.path.splitext(os.path.basename(path))
            source = name + {".h": ".c", ".hpp": ".cpp"}[kind]
            with open(os.path.join(directory, source), "w", encoding="utf-8") as out:
                out.write(text)
        else:
            print("no example in", os.path.basename(path))


def check(paths):
    count, missing, broken = 0, 0, 0
    for path in paths:
        for name, is_explained in declarations(path, DECLARED):
            count += 1
            if not is_explained:
                missing += 1
                print(f"{os.path.basename(path)}: no comment above {name}")
        for item in BROKEN_ITEM.findall(open(path, encoding="utf-8").read()):
            broken += 1
            print(f"{os.path.basename(path)}: an item goes on at the margin:\n{item}")
    print(f"{count - missing} of {count} declarations have a comment")
    return missing > 0 or broken > 0 or count == 0


def main():
    what, *arguments = sys.argv[1:]
    if what == "examples":
        write_examples(arguments[0], arguments[1:])
    elif what == "functions":
        print("\n".join(sorted({name for path in arguments for name, _ in declarations(path, [FUNCTION])})))
    else:
        sys.exit(check(arguments))


main()
