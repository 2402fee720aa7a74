"""measure.py DIRECTORY [ROUNDS]: time of each form that build.sh has made over the check by hand, medians of rounds in turn."""
import os
import statistics
import subprocess
import sys

directory = sys.argv[1]
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 15
forms = sorted(name for name in os.listdir(directory) if os.access(f"{directory}/{name}", os.X_OK) and "." not in name)


def run(form):
    command = [f"{directory}/{form}", f"{directory}/program.bin", "1"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stderr.split()[0])


times = [{form: run(form) for form in forms} for _ in range(rounds)]
for form in forms:
    ratio = statistics.median(row[form] / row["check"] for row in times)
    print(f"{form:17} {ratio:.2f}   {min(row[form] for row in times):.3f} ns an instruction")
