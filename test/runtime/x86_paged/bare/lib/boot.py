#!/usr/bin/python3
"""Boots a kernel in QEMU, shows its serial port, and ends with the kernel's exit status.

boot.py KERNEL [OPTION OF QEMU...]
"""

import subprocess
import sys

TIMEOUT_SECONDS = 1200  # for a kernel that hangs, on a machine however busy

command = [
    "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "512", "-display", "none", "-serial", "stdio",
    "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-kernel", *sys.argv[1:],
]
try:
    status = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=TIMEOUT_SECONDS).returncode
except subprocess.TimeoutExpired:
    sys.exit(f"boot.py: the machine did not end within {TIMEOUT_SECONDS} seconds")
# The kernel writes its status plus 16, and the exit device ends QEMU with twice that plus one.
if status < 33 or status % 2 == 0:
    sys.exit(f"boot.py: QEMU ended with status {status}: the machine was reset, or never started")
sys.exit((status >> 1) - 16)
