"""Puts the rows of all groups together, as JSON on standard output: `report.py FILE...`; 1 if a bound does not hold."""

import json
import sys

rows = []
for path in sys.argv[1:]:
    with open(path) as file:
        rows += json.load(file)
json.dump(rows, sys.stdout, indent=1)
print()
broken = [row["name"] for row in rows if row["holds"] is False]
if broken:
    sys.exit(f"bench: does not hold: {', '.join(broken)}")
