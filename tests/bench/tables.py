"""Tables of text."""


def lay_out(lines):
    """Columns side by side, the first to the left, the others to the right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(cell.rjust(width) if column else cell.ljust(width)
                      for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines]


def number(value, digits=0, unit=""):
    return "-" if value is None else f"{value:,.{digits}f}{unit}"


def latency(microseconds):
    """In the unit that it is read in."""
    if microseconds is None:
        return "-"
    if microseconds < 1000:
        return f"{microseconds:.0f} µs"
    return f"{microseconds / 1000:.1f} ms" if microseconds < 100_000 else f"{microseconds / 1e6:.2f} s"
