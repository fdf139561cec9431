"""Draws the four shifts of skada 0.6.0 as CSV files beside this script: `python draw.py`.

A domain has 160 rows (80 for the subspace); `train` is what a fit sees of the target, `test` a second draw, five times as large,
to score by.
"""

from pathlib import Path

import numpy as np
from skada.datasets import make_shifted_datasets

HERE = Path(__file__).resolve().parent
SHIFTS = {
    "covariate": "covariate_shift",
    "label": "target_shift",
    "concept": "conditional_shift",
    "subspace": "subspace",
}


def save(name, x, y):
    table = np.column_stack([x, y])
    np.savetxt(HERE / f"{name}.csv", table, delimiter=",", fmt=["%.6f", "%.6f", "%d"], header="x1,x2,class", comments="")


for name, shift in SHIFTS.items():
    for seed, (part, n) in enumerate([("train", 20), ("test", 100)]):
        x, y, domain = make_shifted_datasets(
            n_samples_source=20, n_samples_target=n, shift=shift, noise=0.6, random_state=seed
        )
        if part == "train":
            save(f"{name}-source", x[domain > 0], y[domain > 0])
        save(f"{name}-target-{part}", x[domain < 0], y[domain < 0])
