"""bounded.py SECONDS MEGABYTES COMMAND...: runs the command and fails if it takes more time or resident memory.

Otherwise exits as the command does.
"""

import resource
import subprocess
import sys

seconds, megabytes = int(sys.argv[1]), int(sys.argv[2])
try:
    code = subprocess.run(sys.argv[3:], timeout=seconds).returncode
except subprocess.TimeoutExpired:
    sys.exit(f"bounded.py: more than {seconds} s")
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
if used > megabytes:
    print(f"bounded.py: {used} MB resident, more than {megabytes}", file=sys.stderr)
    sys.exit(125)
sys.exit(code)
