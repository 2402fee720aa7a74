"""cut_everywhere.py LAYOUT_PRINT FILE COUNT: how many of the first COUNT lengths of FILE are refused in one line."""

import subprocess
import sys

layout_print, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
content = open(path, "rb").read()
refused = 0
for length in range(count):
    with open(path + ".cut", "wb") as out:
        out.write(content[:length])
    run = subprocess.run([layout_print, "--elf", path + ".cut"], capture_output=True, text=True)
    refused += run.returncode == 1 and run.stderr.count("\n") == 1
print(f"{refused} of {count} refused")
