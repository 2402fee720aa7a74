"""check_system_elf.py LAYOUT_PRINT ELF: compares the layout of a file with what readelf says about it.

Every segment must be listed with its page-rounded range and access, and begin and end with its file bytes.
"""

import re
import subprocess
import sys

PAGE = 4096
SHOWN = 16
layout_print, path = sys.argv[1:]
text = subprocess.run(["readelf", "-lW", path], check=True, capture_output=True, text=True).stdout
content = open(path, "rb").read()

wanted = []
places = []
for match in re.finditer(r"^ +LOAD +(0x\w+) (0x\w+) 0x\w+ (0x\w+) (0x\w+) (.{3}) ", text, re.M):
    offset, vaddr, filesz, memsz = (int(number, 16) for number in match.groups()[:4])
    start, end = vaddr // PAGE * PAGE, -(-(vaddr + memsz) // PAGE) * PAGE
    access = "rw" if "W" in match.group(5) else "ro"
    wanted.append(f"region 'load{len(wanted)}': {start:#x} {end - start:#x} {access}")
    for first in (0, max(filesz - SHOWN, 0)):
        places.append((vaddr + first, content[offset + first : offset + min(first + SHOWN, filesz)]))

arguments = [str(number) for vaddr, data in places for number in (vaddr, len(data))]
shown = subprocess.run([layout_print, path, *arguments], check=True, capture_output=True, text=True).stdout
wanted += [f"bytes {vaddr:#x}: " + data.hex(" ") for vaddr, data in places]
missing = [line for line in wanted if line not in shown.splitlines()]
if missing:
    sys.exit("not in the layout:\n" + "\n".join(missing))
print(f"{len(places) // 2} segments agree")
