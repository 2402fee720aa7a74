"""Writes a small ELF file, well-formed or broken in one place.

write_elf.py OUT [--class 32|64] [--data lsb|msb] [--type exec|dyn|rel|core] [--phentsize N] [--phnum N]
                 [--segment FLAGS:VADDR:MEMSZ:HEX[:FILESZ[:OFFSET]]]... [--repeat N]
                 [--note] [--extended] [--cut BYTES]

FLAGS is any of "rwx"; HEX are the file bytes; FILESZ and OFFSET replace the true ones. --repeat writes the
segments N times, --note puts one of another type first, --extended counts them in section 0, --cut shortens
the file.
"""

import argparse
import struct

TYPES = {"rel": 1, "exec": 2, "dyn": 3, "core": 4}
PT_LOAD, PT_NOTE = 1, 4
PN_XNUM = 0xFFFF


def parse_segment(text):
    flags, vaddr, memsz, data, *replaced = text.split(":")
    bits = sum({"x": 1, "w": 2, "r": 4}[c] for c in flags)
    numbers = [int(n, 0) for n in replaced] + [None, None]
    return PT_LOAD, bits, int(vaddr, 0), int(memsz, 0), bytes.fromhex(data), numbers[0], numbers[1]


parser = argparse.ArgumentParser()
parser.add_argument("out")
parser.add_argument("--class", dest="bits", type=int, default=64)
parser.add_argument("--data", default="lsb")
parser.add_argument("--type", default="exec")
parser.add_argument("--phentsize", type=int)
parser.add_argument("--phnum", type=lambda text: int(text, 0))
parser.add_argument("--extended", action="store_true")
parser.add_argument("--segment", type=parse_segment, action="append", default=[])
parser.add_argument("--repeat", type=int, default=1)
parser.add_argument("--note", action="store_true")
parser.add_argument("--cut", type=int)
args = parser.parse_args()

order = "<" if args.data == "lsb" else ">"
wide = args.bits == 64
word = "Q" if wide else "I"
ehdr_bytes, phdr_bytes, shdr_bytes = (64, 56, 64) if wide else (52, 32, 40)

segments = args.segment * args.repeat
if args.note:
    segments.insert(0, (PT_NOTE, 4, 0xFFFFF000, 0x9000, b"", None, None))

table = b""
contents = b""
offset = ehdr_bytes + phdr_bytes * len(segments)
for kind, flags, vaddr, memsz, data, filesz, placed in segments:
    at = offset + len(contents) if placed is None else placed
    size = len(data) if filesz is None else filesz
    if wide:
        table += struct.pack(order + "IIQQQQQQ", kind, flags, at, vaddr, vaddr, size, memsz, 4096)
    else:
        table += struct.pack(order + "IIIIIIII", kind, at, vaddr, vaddr, size, memsz, flags, 4096)
    contents += data

count = len(segments) if args.phnum is None else args.phnum
section = b""
shoff = 0
if args.extended:
    shoff = offset + len(contents)
    section = struct.pack(order + "II" + word * 4 + "II" + word * 2, 0, 0, 0, 0, 0, 0, 0, count, 0, 0)
    count = PN_XNUM

ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if args.data == "lsb" else 2, 1]) + bytes(9)
header = ident + struct.pack(
    order + "HHI" + word * 3 + "IHHHHHH",
    TYPES[args.type], 62 if wide else 3, 1, 0, ehdr_bytes, shoff, 0, ehdr_bytes,
    phdr_bytes if args.phentsize is None else args.phentsize, count,
    shdr_bytes if section else 0, 1 if section else 0, 0,
)
with open(args.out, "wb") as out:
    out.write((header + table + contents + section)[: args.cut])
