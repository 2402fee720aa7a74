"""Counts what the report in the file argv[1] has of programs, and compares the means with the programs' ratios."""
import json
import math
import sys

engines = json.load(open(sys.argv[1]))["programs"]
programs = {tuple(cell["program"] for cell in engine["programs"]) for engine in engines}
assert len(programs) == 1, programs
for engine in engines:
    ratios = [cell["ratio"]["median"] for cell in engine["programs"]]
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    assert abs(mean / engine["mean_ratio"] - 1) < 1e-3, engine["engine"]
    assert all(cell["ns_per_run"]["median"] > 0 for cell in engine["programs"]), engine["engine"]
print(f"{len(engines)} engines, {len(programs.pop())} programs each, means as their programs say")
