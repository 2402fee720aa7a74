"""repeat.py TEXT COUNT: prints TEXT COUNT times, without a newline."""

import sys

sys.stdout.write(sys.argv[1] * int(sys.argv[2]))
