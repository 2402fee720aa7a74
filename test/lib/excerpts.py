"""excerpts.py README SOURCE...: every C block of the README stands, as it is shown, in one of the sources."""

import re
import sys
import textwrap


def blocks(text):
    return re.findall(r"^ *```c\n(.*?)^ *```$", text, re.M | re.S)


def main():
    readme, *sources = sys.argv[1:]
    texts = [open(path, encoding="utf-8").read() for path in sources]
    code = texts + [text.replace("\n    ", "\n") for text in texts]  # functions, and what stands in one
    shown = blocks(open(readme, encoding="utf-8").read())
    missing = [b for b in shown if not any(textwrap.dedent(b) in text for text in code)]
    for block in missing:
        print("not in the sources:\n" + block)
    print(f"{len(shown) - len(missing)} of {len(shown)} excerpts found")
    sys.exit(bool(missing) or not shown)


main()
