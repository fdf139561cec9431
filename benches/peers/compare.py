"""Times translearn beside its peers on the same arrays: the driver behind `cargo xtask bench`.

For every case and peer, one process of each side reads the same `.npy` files and serves runs. The driver warms both up, asks the
judge of `cases.py` about both results, and then lets the sides take turns, the one that begins changing every round. The ratio
of a round is the peer's time over ours; reported are medians with the smallest and the largest value, a range that holds the true
median with probability 1 − 2^(1 − runs) (0.984 for 7). Where our result is worse than the peer's by more than 1e-6 relative,
there is no ratio.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cases import QUICK_SIZES, SIZES, Judge, draw
from side import Record, Side, aligned, shown, spread, take_turns

HERE = Path(__file__).resolve().parent
SLACK = 1e-6
THREADS = 2


@dataclass(frozen=True)
class Comparison:
    case: str
    peer: str
    # Ratio to reach; None: for information.
    goal: float | None = None
    # For iterations: our loosest tolerance (a power of ten) whose result holds in these figures; empty: nothing to choose.
    hold: tuple[str, ...] = ()


COMPARISONS = [
    Comparison("coral", "skada", 1.2),
    Comparison("coral", "adapt"),
    Comparison("sa", "skada", 4.0),
    Comparison("sa", "adapt", 4.0),
    Comparison("tca", "skada", 5.0),
    Comparison("tca", "adapt"),
    Comparison("kmm", "adapt", 3.0, ("½βᵀKβ−κᵀβ", "KKT violation")),
    Comparison("kmm", "skada", 1.0, ("½βᵀKβ−κᵀβ",)),
    Comparison("tca-nystroem", "numpy"),
    Comparison("jda", "numpy", 10.0),
    Comparison("meda", "numpy", 10.0),
    Comparison("kliep", "adapt", 5.0, ("−mean log-likelihood",)),
    Comparison("kliep", "skada", 1.0, ("−mean log-likelihood",)),
    Comparison("ulsif", "adapt", 3.0),
    Comparison("mmd-test", "numpy", 50.0),
    Comparison("logme", "numpy", 3.0),
    Comparison("otdd", "pot", 3.0),
    Comparison("tradaboost", "adapt", 5.0),
    Comparison("emd", "pot", 0.97),
    Comparison("sinkhorn", "pot", 0.97),
    Comparison("sinkhorn-small", "pot", 20.0, ("error of the masses",)),
    Comparison("logistic", "scikit-learn", 0.97, ("Σaᵢℓᵢ+½‖W‖²",)),
    Comparison("tree", "scikit-learn", 2.0),
]


def worse(ours, peers, hold):
    """The figures in which our result is worse than the peer's by more than the slack."""
    found = []
    for our, peer in zip(ours, peers):
        if hold and our.name not in hold:
            continue
        scale = abs(peer.value) if peer.scale is None else peer.scale
        if not our.value <= peer.value + SLACK * scale:
            found.append(our.name)
    return found


def choose(ours, judge, peer_figures, hold):
    """Our loosest tolerance whose result holds against the peer's."""
    for exponent in range(1, 13):
        settings = {"tolerance": 10.0**-exponent}
        ours.run(settings)
        if not worse(judge.figures(ours.outputs()), peer_figures, hold):
            return settings
    return {}


def compare(comparison, arguments, folder):
    """One row of the table."""
    case = comparison.case
    size = (QUICK_SIZES if arguments.quick else SIZES)[case]
    # Beside the inputs, one folder for what is not an input.
    inputs = folder / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    arrays = draw(case, size)
    for name, array in arrays.items():
        np.save(inputs / f"{name}.npy", array)
    judge = Judge(case, arrays)
    sides = []
    try:
        peer_command = [sys.executable, str(HERE / "peers.py"), case, comparison.peer, str(inputs)]
        peer = Side(peer_command, folder, "peer", THREADS)
        sides.append(peer)
        ours = Side([arguments.ours, case, str(inputs)], folder, "ours", THREADS)
        sides.append(ours)

        peer.run({})
        peer_figures = judge.figures(peer.outputs())
        hold = comparison.hold
        settings = choose(ours, judge, peer_figures, hold) if hold else {}
        ours.run(settings)
        our_figures = judge.figures(ours.outputs())

        our_seconds, peer_seconds = take_turns(
            lambda: ours.run(settings), lambda: peer.run({}), arguments.runs
        )
        return {
            "case": case,
            "size": f"{size[0]}+{size[1]}x{size[2]}" if size[1] else f"{size[0]}x{size[2]}",
            "peer": f"{comparison.peer} {peer.version}",
            "version": ours.version,
            "settings": settings,
            "bytes_ours": ours.peak_bytes(),
            "bytes_peer": peer.peak_bytes(),
            "seconds_ours": our_seconds,
            "seconds_peer": peer_seconds,
            "ours": spread(our_seconds),
            "peers": spread(peer_seconds),
            "ratio": spread([p / o for o, p in zip(our_seconds, peer_seconds)]),
            "goal": comparison.goal,
            "figures": [
                {"name": o.name, "ours": o.value, "peer": p.value}
                for o, p in zip(our_figures, peer_figures)
            ],
            "worse": worse(our_figures, peer_figures, hold),
            "peer_behind": worse(peer_figures, our_figures, hold),
        }
    finally:
        for side in sides:
            side.close()


def lines(row):
    """A row of the table, and the figures below it."""
    if row["worse"]:
        ratio, met = "none: ours is worse in " + ", ".join(row["worse"]), ""
    else:
        ratio = shown(row["ratio"], 3)
        goal = row["goal"]
        met = "" if goal is None else ("yes" if row["ratio"]["median"] >= goal else "no")
    goal = "" if row["goal"] is None else f"≥ {row['goal']:g}"
    size = row["size"]
    yield (row["case"], size, row["peer"], shown(row["ours"]), shown(row["peers"]), ratio, goal, met)
    for figure in row["figures"]:
        note = "the peer is behind" if figure["name"] in row["peer_behind"] else ""
        yield ("", "", figure["name"], f"{figure['ours']:.7g}", f"{figure['peer']:.7g}", note, "", "")
    if row["bytes_ours"] is not None:
        ours, peers = (f"{row[side] / 1e9:.2f}" for side in ("bytes_ours", "bytes_peer"))
        yield ("", "", "peak memory [GB]", ours, peers, "", "", "")
    for name, value in row["settings"].items():
        yield ("", "", f"our {name}", f"{value:g}", "", "", "", "")


HEADER = ("case", "size", "peer", "ours [s]", "peer [s]", "ratio", "goal", "met")


def table(rows):
    return aligned([HEADER] + [line for row in rows for line in lines(row)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True, help="the translearn-peerbench binary")
    parser.add_argument("--folder", required=True, type=Path, help="where results are written")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="small sizes, to check the harness")
    parser.add_argument("names", nargs="*", help="cases; all when none is named")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in SIZES]
    if unknown:
        parser.error(f"there is no case {unknown[0]!r}; there are {', '.join(SIZES)}")

    def show(row):
        ours, peer = (row[side]["median"] for side in ("ours", "peers"))
        return f"{row['case']}: {ours:.3g} s, {row['peer']} {peer:.3g} s"

    record = Record(arguments, f"{THREADS} threads", threads=THREADS)
    for comparison in COMPARISONS:
        if arguments.names and comparison.case not in arguments.names:
            continue
        folder = arguments.folder / "data" / f"{comparison.case}-{comparison.peer}"
        record.add(
            f"{comparison.case} beside {comparison.peer}",
            lambda: compare(comparison, arguments, folder),
            show,
        )
    print(f"\n{table(record.rows)}\n\n{record.path}")
    return 1 if record.failed else 0


if __name__ == "__main__":
    sys.exit(main())
