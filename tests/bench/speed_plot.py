#!/usr/bin/env python3
"""Draws README.md's table of speed as an SVG file: speed_plot.py README.md SVG."""

import html
import pathlib
import re
import sys

LABELS, BARS, BAR, ROW, TOP = 300, 420, 15, 44, 56
WIDTH = LABELS + BARS + 170
# Of its own background, as a reader's may be light or dark.
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .quiet { fill: #59636e }
  .strong { font-weight: 600 }
  .back { fill: #ffffff; stroke: #d1d9e0 }
  .ours { fill: #0969da }
  .theirs { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .quiet { fill: #9198a1 }
    .back { fill: #0d1117; stroke: #3d444d }
    .ours { fill: #4493f8 }
    .theirs { fill: #656c76 }
  }"""


def read_rows(readme):
    """Work, connections, requests a second of ours and of Redis, and the ratio, as the table has them."""
    table = re.search(r"^\| work \| connections \|.*\n\| ---.*\n((?:\|.*\n)+)", readme, re.MULTILINE)
    if table is None:
        raise SystemExit("cannot find the table of speed: no line begins with '| work | connections |'")
    rows = []
    for line in table[1].splitlines():
        work, connections, ours, theirs, ratio, _ = (cell.strip() for cell in line.strip("|").split("|"))
        rows.append((work, int(connections), number(ours), number(theirs), ratio.split()[0]))
    return rows


def number(cell):
    return int(cell.split()[0].replace(",", ""))


def draw(rows):
    longest = max(max(ours, theirs) for _, _, ours, theirs, _ in rows)
    height = TOP + ROW * len(rows) + 8
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
             "<title>Requests a second, of concurrencyd and of Redis</title>", f"<style>{STYLE}\n</style>",
             f'<rect class="back" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
             '<text x="16" y="28" class="strong">Requests a second</text>']
    for x, kind, name in ((LABELS, "ours", "concurrencyd"), (LABELS + 130, "theirs", "Redis, the same work")):
        parts += [f'<rect class="{kind}" x="{x}" y="18" width="12" height="12" rx="2"/>', f'<text x="{x + 18}" y="28">{name}</text>']
    before = ""
    for at, (work, connections, ours, theirs, ratio) in enumerate(rows):
        y = TOP + ROW * at
        work, _, against = work.partition(", against ")
        before = work = before if work == "the same" else work
        many = "one connection" if connections == 1 else f"{connections} connections"
        parts += [f'<text x="16" y="{y + 12}">{html.escape(work)}</text>',
                  f'<text class="quiet" x="16" y="{y + 28}">{many}{", " if against else ""}{html.escape(against)}</text>',
                  f'<text x="{WIDTH - 16}" y="{y + 20}" text-anchor="end" class="strong">{ratio} ×</text>']
        for line, (kind, value) in enumerate((("ours", ours), ("theirs", theirs))):
            top = y + line * (BAR + 1)
            length = max(1, BARS * value / longest)
            parts += [f'<rect class="{kind}" x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}" rx="2"/>',
                      f'<text x="{LABELS + length + 6:.1f}" y="{top + 12}">{value:,}</text>']
    return "\n".join([*parts, "</svg>"]) + "\n"


def main():
    readme, svg = map(pathlib.Path, sys.argv[1:])
    svg.write_text(draw(read_rows(readme.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
