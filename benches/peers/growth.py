"""How the time of our side grows with the rows and with the columns: the driver behind `cargo xtask bench --growth`.

A case is run at a quarter, half and all of its rows, with all its columns, and at a quarter, half and all of its columns, with
all its rows. The exponent is the slope of the least-squares line through the logarithms of the medians: time is about
n^exponent, or d^exponent.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from cases import QUICK_SIZES, SIZES, draw
from side import Record, Side, aligned, spread

THREADS = 2
SHARES = (0.25, 0.5, 1.0)
# Below it the columns are those of the plane, and the costs are all that is read.
FEWEST_COLUMNS = 8


def seconds(case, size, arguments):
    """The spread of the times at one size."""
    folder = arguments.folder / "growth"
    inputs = folder / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    for stale in inputs.glob("*.npy"):
        stale.unlink()
    for name, array in draw(case, size).items():
        np.save(inputs / f"{name}.npy", array)
    ours = Side([arguments.ours, case, str(inputs)], folder, "ours", THREADS)
    try:
        ours.run({})
        return spread([ours.run({}) for _ in range(arguments.runs)])
    finally:
        ours.close()


def exponent(values, times):
    """The slope of the logarithms."""
    return float(np.polyfit(np.log(values), np.log([t["median"] for t in times]), 1)[0])


def grow(case, arguments):
    """One row of the table."""
    n_source, n_target, d, n_classes = (QUICK_SIZES if arguments.quick else SIZES)[case]
    rows = [(int(s * n_source), int(s * n_target), d, n_classes) for s in SHARES]
    columns = [(n_source, n_target, int(s * d), n_classes) for s in SHARES]
    row = {"case": case}
    for name, sizes, place in (("rows", rows, 0), ("columns", columns, 2)):
        if name == "columns" and d < FEWEST_COLUMNS:
            continue
        times = [seconds(case, size, arguments) for size in sizes]
        values = [size[place] for size in sizes]
        row[name] = {"sizes": sizes, "seconds": times, "exponent": exponent(values, times)}
    return row


def lines(row):
    for name in ("rows", "columns"):
        if name in row:
            found = row[name]
            sizes = (f"{s[0]}+{s[1]}x{s[2]}" if s[1] else f"{s[0]}x{s[2]}" for s in found["sizes"])
            times = (f"{t['median']:.3g}" for t in found["seconds"])
            yield (row["case"], name, ", ".join(sizes), ", ".join(times), f"{found['exponent']:.2f}")


HEADER = ("case", "of", "sizes", "seconds", "exponent")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True, help="the translearn-peerbench binary")
    parser.add_argument("--folder", required=True, type=Path, help="where results are written")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small sizes, to check the harness")
    parser.add_argument("names", nargs="*", help="cases; all when none is named")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in SIZES]
    if unknown:
        parser.error(f"there is no case {unknown[0]!r}; there are {', '.join(SIZES)}")

    record = Record(arguments, f"{THREADS} threads", prefix="growth-", threads=THREADS)
    for case in arguments.names or SIZES:
        show = lambda row: "; ".join(f"{line[0]}, {line[1]}: {line[4]}" for line in lines(row))
        record.add(case, lambda: grow(case, arguments), show)
    print(f"\n{aligned([HEADER] + [line for row in record.rows for line in lines(row)])}\n\n{record.path}")
    return 1 if record.failed else 0


if __name__ == "__main__":
    sys.exit(main())
