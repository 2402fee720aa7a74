"""What the README shows, for the test that holds it to its word.

readme.py c README           the C example, and so for other languages
readme.py commands README    one line for each `$ memfold` command: the command, then its lines as the README has them
"""

import re
import sys


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def main():
    what, path = sys.argv[1:]
    text = open(path, encoding="utf-8").read()
    is_command = what == "commands"
    shown = [b for b in blocks(text, "") if b.startswith("$ memfold")] if is_command else blocks(text, what)
    sys.stdout.write("".join(shown))


main()
