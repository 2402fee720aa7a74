"""What the README shows, for the test that holds it to its word.

readme.py c README           the C example, and so for other languages
readme.py commands README    one line for each `$ memfold` command: the command, then its lines as the README has them
"""

import sys


def blocks(text, language):
    """The fenced blocks of one language, in order: a fence closes the block that is open, whatever stands on it."""
    found, lines, opened = [], [], None
    for line in text.splitlines(keepends=True):
        if not line.startswith("```"):
            lines.append(line)
        elif opened is None:
            opened, lines = line[3:].strip(), []
        else:
            if opened == language:
                found.append("".join(lines))
            opened = None
    return found


def main():
    what, path = sys.argv[1:]
    text = open(path, encoding="utf-8").read()
    is_command = what == "commands"
    shown = [b for b in blocks(text, "") if b.startswith("$ memfold")] if is_command else blocks(text, what)
    sys.stdout.write("".join(shown))


main()
