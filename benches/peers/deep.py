"""Times networks of translearn beside eager PyTorch: the driver behind `cargo xtask bench deep`.

For every network, task and number of threads, one process of each side takes the same images, labels and first weights. Both
warm up by what is compared: one batch of features, or the losses of three steps. Where these agree, the sides take turns as in
`compare.py`; where they do not, there is no ratio. The peak memory is that of the process, read from the system after the last run.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from side import Record, Side, aligned, shown, spread, take_turns

HERE = Path(__file__).resolve().parent
NETWORKS = ["mobilenet-v1-0.25", "resnet18", "resnet50"]
TASKS = ["extract", "finetune"]
THREADS = [2, 1]
SIDE, N_CLASSES = 224, 10
# Images in a batch for each thread: a run with one thread takes no longer than one with two. ResNet-50's activations of 32
# images would not fit a small machine beside the peer's.
PER_THREAD = 16
SMALLER = {("resnet50", "finetune"): 8}
QUICK_SIDE, QUICK_PER_THREAD = 64, 8
STEPS = 3
GOAL = 0.97
# Of the largest magnitude. The same kernels of the same library in single precision; MobileNet's dropout (1 in 1000) draws from
# another generator, so its losses are only near.
TOLERANCE = {"extract": 1e-4, "finetune": 1e-4}
WITH_DROPOUT = 5e-2


def compare(network, task, threads, arguments, folder):
    """One row of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    per_thread = QUICK_PER_THREAD if arguments.quick else SMALLER.get((network, task), PER_THREAD)
    batch = per_thread * threads
    size = QUICK_SIDE if arguments.quick else SIDE
    rng = np.random.default_rng(20261126)
    np.save(folder / "images.npy", rng.normal(size=(batch, 3, size, size)).astype(np.float32))
    # The last class is among them, as both sides count classes by the largest label.
    np.save(folder / "labels.npy", (N_CLASSES - 1 - np.arange(batch)) % N_CLASSES)
    layout = "channels-last" if arguments.channels_last else "contiguous"
    case = [network, task, layout, str(folder)]
    sides = []
    try:
        # PyTorch first: it writes the weights.
        for name, command in [
            ("peer", [sys.executable, str(HERE / "torch_peer.py")]),
            ("ours", [arguments.ours]),
        ]:
            sides.append(Side([*command, *case], folder, name, threads))
        peer, ours = sides
        at_start = {side: side.peak_bytes() for side in sides}
        for side in sides:
            for _ in range(STEPS if task == "finetune" else 1):
                side.run({})
        ((kind, found),), ((_, expected),) = ours.outputs().items(), peer.outputs().items()
        apart = float(np.abs(found - expected).max() / np.abs(expected).max())
        tolerance = WITH_DROPOUT if (network, task) == ("mobilenet-v1-0.25", "finetune") else TOLERANCE[task]
        row = {
            "network": network,
            "task": task,
            "layout": layout,
            "batch": batch,
            "side": size,
            "threads": threads,
            "peer": f"PyTorch {peer.version}",
            "version": ours.version,
            "compared": kind,
            "apart": apart,
            "tolerance": tolerance,
            "agrees": apart <= tolerance,
            "last": [float(found[-1, 0]), float(expected[-1, 0])],
        }
        # A NaN agrees with nothing.
        if not row["agrees"]:
            return row
        ours_s, peers_s = take_turns(lambda: ours.run({}), lambda: peer.run({}), arguments.runs)
        return row | {
            "seconds_ours": ours_s,
            "seconds_peer": peers_s,
            "ours": spread(ours_s),
            "peers": spread(peers_s),
            "ratio": spread([p / o for o, p in zip(ours_s, peers_s)]),
            "bytes_ours": ours.peak_bytes(),
            "bytes_peer": peer.peak_bytes(),
            "bytes_at_start_ours": at_start[ours],
            "bytes_at_start_peer": at_start[peer],
            "goal": GOAL,
        }
    finally:
        for side in sides:
            side.close()


HEADER = ("network", "task", "threads", "ours [s]", "PyTorch [s]", "ratio", f"≥ {GOAL}", "ours [MB]", "PyTorch [MB]", "apart")


def line(row):
    """A row of the table."""
    what = (row["network"], f"{row['task']}, {row['batch']}", str(row["threads"]))
    apart = f"{row['apart']:.1e}"
    if not row["agrees"]:
        return (*what, "", "", f"none: {row['compared']} differ", "", "", "", apart)
    megabytes = [
        f"{row[key] / 1e6:.0f}" if row[key] is not None else "" for key in ("bytes_ours", "bytes_peer")
    ]
    met = "yes" if row["ratio"]["median"] >= GOAL else "no"
    return (*what, shown(row["ours"], 3), shown(row["peers"], 3), shown(row["ratio"], 3), met, *megabytes, apart)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True, help="the example `beside_pytorch`")
    parser.add_argument("--folder", required=True, type=Path, help="where results are written")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="small images, to check the harness")
    parser.add_argument("--channels-last", action="store_true", help="images and weights in that layout, on both sides")
    parser.add_argument("--networks", nargs="*", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--threads", nargs="*", type=int, default=THREADS)
    arguments = parser.parse_args()

    record = Record(arguments, "the same threads", prefix="deep-")
    for network, task, threads in (
        (n, task, t) for t in arguments.threads for n in arguments.networks for task in TASKS
    ):
        folder = arguments.folder / "data" / f"{network}-{task}"
        record.add(
            f"{network}, {task}, {threads} threads",
            lambda: compare(network, task, threads, arguments, folder),
            lambda row: "  ".join(line(row)),
        )
    print(f"\n{aligned([HEADER, *map(line, record.rows)])}\n\n{record.path}")
    return 1 if record.failed or not all(row["agrees"] for row in record.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
