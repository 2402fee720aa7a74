"""Refuses tests that check less than they seem to: check_tests.py FILE_OR_DIRECTORY...

Of a directory it reads what lit runs: .c, .test and .yaml files with a RUN line, outside Inputs and lib. Each finding
is one line, file:line: message; the exit status is 1 if there is one. It refuses

  * a file whose first words are not a sentence that says what the test proves,
  * a directive of lit or FileCheck behind the start of its line, where FileCheck takes it for text,
  * the tail of a directive that a formatter has broken off,
  * a directive that no RUN line uses, be it for a wrong prefix or for a misspelt one,
  * a prefix with nothing but -NOT lines, which anything passes,
  * a test that looks at nothing: a RUN line that compares output, or expects a failure, is missing.
"""

import os
import re
import sys

SUFFIXES = (".c", ".test", ".yaml")
EXCLUDED = {"Inputs", "lib"}
LIT_KEYWORDS = {"RUN", "XFAIL", "REQUIRES", "UNSUPPORTED", "ALLOW_RETRIES", "DEFINE", "REDEFINE", "END."}
LEADER = re.compile(r"\s*(?://|/\*|\*(?!/)|#(?!include|define|if|endif|else|undef|error))?\s*")
KIND = r"(?:-(?:NEXT|SAME|NOT|DAG|LABEL|EMPTY|COUNT-\d+))?(?:\{LITERAL\})?:"
ANY_DIRECTIVE = re.compile(r"([A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)*)(?:\{LITERAL\})?:(?!:)")
COMPARES = re.compile(r"\b(FileCheck|diff|cmp|grep|not|test|replay\.sh|check_\w+\.py)\b")
MIN_WORDS = 4


class Test:
    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8", errors="replace") as file:
            self.lines = file.read().splitlines()
        self.findings = []
        self.run = self.run_lines()
        self.may_be_empty = set()
        self.prefixes = self.find_prefixes()
        own = "|".join(sorted(map(re.escape, self.prefixes | LIT_KEYWORDS), key=len, reverse=True))
        self.directive = re.compile(rf"(?<![\w\[-])(?:{own}|[A-Z][A-Z0-9_]*(?=-(?:NEXT|SAME|NOT|DAG|LABEL))){KIND}")

    def find(self, number, message):
        self.findings.append(f"{self.path}:{number + 1}: {message}")

    def run_lines(self):
        """The commands, with continued ones joined; of prefixes that hang on a feature of lit's, both."""
        commands = "\n".join(re.findall(r"\bRUN:(.*)", "\n".join(self.lines))).replace("\\\n", " ")
        commands = re.sub(r"%if \S+ %\{(\w+)%\}\s*%else\s*%\{(\w+)%\}", r"\1,\2", commands)
        return commands.split("\n") if commands else []

    def find_prefixes(self):
        """What the FileChecks of the RUN lines look for; with --allow-empty nothing may be what is wanted."""
        prefixes = set()
        for line in self.run:
            for command in re.split(r"\bFileCheck\b", line)[1:]:
                command = re.split(r"[|;&]", command)[0]
                given = re.findall(r"--?check-prefix(?:es)?[= ]([\w,-]+)", command)
                named = ",".join(given).split(",") if given else ["CHECK"]
                prefixes.update(named)
                if "--allow-empty" in command:
                    self.may_be_empty.update(named)
        return prefixes - {""}

    def text_of(self, number):
        """The line behind what begins a comment."""
        return self.lines[number][LEADER.match(self.lines[number]).end():]

    def is_comment(self, number):
        """Where directives may stand; files for lit alone need no sign of a comment."""
        signs = {".c": r"\s*(//|/\*|\*)", ".yaml": r"\s*#", ".test": r"\s*#|[A-Z0-9_-]{2,}\b"}
        return bool(re.match(signs[os.path.splitext(self.path)[1]], self.lines[number]))

    def starts_directive(self, text):
        return bool(self.directive.match(text) or ANY_DIRECTIVE.match(text))

    def check_first_sentence(self):
        first = 1 if self.lines[0].strip() in ("/*", "//", "#") else 0
        paragraph = []
        for number in range(first, len(self.lines)):
            text = self.text_of(number)
            if not text or text == "*/" or self.starts_directive(text):
                break
            paragraph.append(text)
        sentence = " ".join(paragraph).removesuffix("*/").strip()
        commented = self.is_comment(0) or self.path.endswith(".test")
        if not commented or len(sentence.split()) < MIN_WORDS or sentence[-1] not in ".:?":
            self.find(0, "the first line is no sentence that says what the test proves")

    def check_lines(self):
        for number, line in enumerate(self.lines):
            text = self.text_of(number)
            at_start = self.directive.match(text)
            rest = text[at_start.end():] if at_start else text
            inner = self.directive.search(rest)
            if inner:
                self.find(number, f"'{inner[0][:-1]}' stands in the middle of a line")
            if not at_start and self.is_comment(number):
                self.check_unused(number, text)
            if at_start and self.path.endswith(".c") and number + 1 < len(self.lines):
                self.check_tail(number + 1)

    def check_unused(self, number, text):
        """Directives that belong to no command, and what is none for want of a colon or of capitals."""
        unknown = ANY_DIRECTIVE.match(text)
        if unknown:
            self.find(number, f"no RUN line uses '{unknown[0][:-1]}'")
            return
        own = "|".join(map(re.escape, self.prefixes | LIT_KEYWORDS))
        if re.match(rf"(?:{own})(?:-[A-Z0-9-]+)?(?:[\s;=]|$)|(?i:{own})(?:-\w+)?\s*:", text):
            self.find(number, f"'{text.split()[0]}' is no directive, but looks like one")

    def check_tail(self, number):
        text = self.text_of(number)
        if self.is_comment(number) and text and text != "*/" and not self.starts_directive(text):
            self.find(number, "text follows a directive: is it its tail? an empty line parts them")

    def check_strength(self):
        if not any(COMPARES.search(line) for line in self.run):
            self.find(0, "no RUN line looks at what comes out")
        for prefix in sorted(self.prefixes - self.may_be_empty):
            line_of = re.compile(rf"{re.escape(prefix)}(-NOT)?(?:-[A-Z]\S*)?(?:\{{LITERAL\}})?:")
            found = [line_of.match(self.text_of(number)) for number in range(len(self.lines))]
            if any(found) and all(line[1] for line in found if line):
                self.find(0, f"the prefix {prefix} has nothing but -NOT lines, which any output passes")

    def check(self):
        self.check_first_sentence()
        self.check_lines()
        self.check_strength()
        return self.findings


def tests_of(path):
    if not os.path.isdir(path):
        return [path]
    paths = []
    for directory, below, files in os.walk(path):
        below[:] = sorted(set(below) - EXCLUDED)
        paths += [os.path.join(directory, name) for name in sorted(files) if name.endswith(SUFFIXES)]
    return paths


def main(arguments):
    tests = [Test(path) for argument in arguments for path in tests_of(argument)]
    tests = [test for test in tests if test.run]
    findings = [finding for test in tests for finding in test.check()]
    print(*findings, f"{len(tests)} tests, {len(findings)} findings", sep="\n")
    return 1 if findings or not tests else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
