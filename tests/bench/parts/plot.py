"""Small plots side by side as one SVG file; both axes are logarithmic."""

import math

WIDTH, HEIGHT, MARGIN, GAP = 250, 190, 50, 20
STYLE = "font: 11px sans-serif; fill: #333"


def decades(values):
    """The powers of ten that enclose the values."""
    low = math.floor(math.log10(min(values)))
    return list(range(low, max(math.ceil(math.log10(max(values))), low + 1) + 1))


def label(exponent):
    if exponent >= 6:
        return f"{10 ** (exponent - 6):,}M"
    if exponent >= 3:
        return f"{10 ** (exponent - 3):,}k"
    return f"{10 ** exponent:g}"


def panel(title, points):
    """One plot with its corner at 0, 0."""
    across, up = decades([x for x, _ in points]), decades([y for _, y in points])

    def place(value, marks, length):
        return (math.log10(value) - marks[0]) / (marks[-1] - marks[0]) * length

    parts = [f'<text x="0" y="-26" style="{STYLE}; font-weight: bold">{title}</text>']
    for mark in across:
        x = place(10 ** mark, across, WIDTH)
        parts += [f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{HEIGHT}" stroke="#ddd"/>',
                  f'<text x="{x:.1f}" y="{HEIGHT + 16}" text-anchor="middle" style="{STYLE}">{label(mark)}</text>']
    for mark in up:
        y = HEIGHT - place(10.0 ** mark, up, HEIGHT)
        parts += [f'<line x1="0" y1="{y:.1f}" x2="{WIDTH}" y2="{y:.1f}" stroke="#ddd"/>',
                  f'<text x="-6" y="{y + 4:.1f}" text-anchor="end" style="{STYLE}">{label(mark)}</text>']
    placed = [(place(x, across, WIDTH), HEIGHT - place(y, up, HEIGHT)) for x, y in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#06c" stroke-width="2"/>')
    for (x, y), (_, value) in zip(placed, points):
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#06c"/>',
                  f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle" style="{STYLE}">{value:.3g}</text>']
    return parts


def write_plot(path, plots):
    """`plots`: of each the title and its points."""
    step = WIDTH + MARGIN + GAP
    width, height = step * len(plots) + GAP, HEIGHT + 2 * MARGIN
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
             '<rect width="100%" height="100%" fill="white"/>']
    for at, (title, points) in enumerate(plots):
        parts += [f'<g transform="translate({at * step + MARGIN}, {MARGIN})">', *panel(title, points), "</g>"]
    parts += [f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle" style="{STYLE}">sessions</text>', "</svg>"]
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
