"""What there is to be recovered of the covariate shift: `python limits.py`, with skada 0.6.0 and scikit-learn 1.9.1.

skada chooses the target's rows and then adds the noise, so P(Y | X) differs between the domains as well. Here the noise is
integrated out over 20 000 rows without it, and the test rows are classified by the posterior of the source, by that with
the target's shares of the classes, and by the target's own. A support vector machine on 8000 source rows shows that the
first is what more rows of the source come to.
"""

from pathlib import Path

import numpy as np
from skada.datasets import make_shifted_datasets
from sklearn.svm import SVC

HERE = Path(__file__).resolve().parent
NOISE, GAMMA, CENTRE = 0.6, 2.0, np.array([0.0, 2.0])

x, classes, domain = make_shifted_datasets(n_samples_source=2500, n_samples_target=1, noise=None, random_state=5)
clean, classes = x[domain > 0], classes[domain > 0]
chosen = np.exp(-GAMMA * ((clean - CENTRE) ** 2).sum(1))
shares = np.array([chosen[classes == c].sum() for c in (0, 1)]) / chosen.sum()


def joint(rows, weights):
    """Densities of the classes at the rows, up to a common factor."""
    pieces = []
    for part in np.array_split(rows, 1 + len(rows) // 100):
        kernel = weights * np.exp(-((part[:, None] - clean) ** 2).sum(2) / (2 * NOISE**2))
        pieces.append(np.stack([kernel[:, classes == c].sum(1) for c in (0, 1)], axis=1))
    return np.vstack(pieces)


def report(name, rows, truth):
    source, target = joint(rows, np.ones(len(clean))), joint(rows, chosen)
    rules = {"source": source, "source, target's shares": source * shares, "target": target}
    print(name, {rule: round(100 * float((scores.argmax(1) == truth).mean()), 1) for rule, scores in rules.items()})


table = np.loadtxt(HERE / "covariate-target-test.csv", delimiter=",", skiprows=1)
rows, truth = table[:, :2], table[:, 2].astype(int)
report("the 800 test rows", rows, truth)
x, y, domain = make_shifted_datasets(
    n_samples_source=1000, n_samples_target=1000, shift="covariate_shift", noise=NOISE, random_state=6
)
report("8000 other rows", x[domain < 0], y[domain < 0])
machine = SVC(gamma=1.0).fit(x[domain > 0], y[domain > 0])
for name, scored in (("test", (rows, truth)), ("other", (x[domain < 0], y[domain < 0]))):
    print(f"machine on 8000 source rows, {name}", round(100 * machine.score(*scored), 1))
