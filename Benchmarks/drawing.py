"""Draws the rows of a measurement beside their peers, as SVG: `drawing.py BENCH.JSON >FILE`.

A bar is what ours took of the peer's time (or memory, or instructions), which is the line at 1; a tick is the most that is promised.
Rows without a peer are not drawn.
"""

import json
import sys
from html import escape

WIDTH, LABEL, SCALE, ROW, TOP = 860, 330, 380, 18, 46
COLOURS = {True: "#2a7f62", False: "#b3261e", None: "#7a8794"}


def draw(rows):
    rows = [row for row in rows if row.get("ratio") is not None]
    height = TOP + ROW * len(rows) + 14
    one = LABEL + SCALE / 1.5
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" fill="#222">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        '<text x="12" y="18" font-size="14">novm beside its peers: shorter is better, 1 is the peer</text>',
        f'<text x="{one}" y="{TOP - 8}" text-anchor="middle" fill="#666">1</text>',
        f'<line x1="{one}" y1="{TOP - 4}" x2="{one}" y2="{height - 8}" stroke="#bbb"/>',
    ]
    for index, row in enumerate(rows):
        y = TOP + ROW * index
        length = min(row["ratio"], 1.5) * SCALE / 1.5
        parts.append(f'<text x="{LABEL - 8}" y="{y + 12}" text-anchor="end">{escape(row["name"])}</text>')
        parts.append(
            f'<rect x="{LABEL}" y="{y + 3}" width="{length:.1f}" height="{ROW - 6}" fill="{COLOURS[row["holds"]]}"/>')
        if row.get("bound") is not None and row["bound"] <= 1.5:
            tick = LABEL + row["bound"] * SCALE / 1.5
            parts.append(
                f'<line x1="{tick:.1f}" y1="{y + 1}" x2="{tick:.1f}" y2="{y + ROW - 1}" stroke="#222" stroke-width="2"/>')
        words = f'{row["ratio"]:.2f} of {row["peer_name"] or "the peer"}'
        parts.append(f'<text x="{LABEL + SCALE + 10}" y="{y + 12}" fill="#444">{escape(words)}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"


with open(sys.argv[1]) as file:
    sys.stdout.write(draw(json.load(file)))
