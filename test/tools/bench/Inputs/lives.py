"""Checks lives in the bench's report: each row that names a peer has one of its size, and a time."""
import json
import sys

lives = json.load(open(sys.argv[1]))["lives"]
peers = {(row["what"], row["bytes"]) for row in lives if row["side"] == "peer"}
rows = [row for row in lives if row["what"] != "resident"]
assert {row["side"] for row in rows} == {"peer", "copy", "paged"}
for row in rows:
    assert row["us"]["median"] > 0, row
    if "peer" in row:
        assert (row["peer"], row["bytes"]) in peers and row["ratio"]["median"] > 0, row
sides = [row["side"] for row in lives if row["what"] == "resident" and row["kib_each"] > 0]
print("every ratio is of rows that are there; resident on", ", ".join(sides))
