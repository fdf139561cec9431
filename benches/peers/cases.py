"""The inputs of every case, and the judge of what came out.

The judge is neither side's code: it computes each objective or certificate anew, in double precision with NumPy and SciPy, from
the matrices both sides hand over. All its figures are better when they are lower.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io
import scipy.linalg

COMPONENTS = {"sa": 50, "tca": 30}
TCA_MU = 0.1


@dataclass(frozen=True)
class Figure:
    """A figure of merit; `scale` is what 'relative' refers to, None: the peer's own figure."""

    name: str
    value: float
    scale: float | None = None


# Source rows, target rows, columns, classes.
SIZES = {
    "coral": (4000, 4000, 800, 0),
    "sa": (4000, 4000, 800, 0),
    "tca": (1000, 1000, 100, 0),
    "tca-nystroem": (50000, 50000, 100, 0),
    # C→A of Office-Caltech: its files where TRANSLEARN_MIRROR has them, else rows of their size.
    "jda": (1123, 958, 800, 10),
    "meda": (1123, 958, 800, 10),
    "kmm": (1000, 1000, 20, 0),
    # Never beside a peer: none of them gets there.
    "kmm-frank-wolfe": (100000, 100000, 20, 0),
    # Every target row is a centre, so that all sides have the same functions.
    "kliep": (1000, 300, 20, 0),
    "ulsif": (1000, 1000, 20, 0),
    "mmd-test": (1000, 1000, 20, 0),
    "logme": (20000, 0, 2048, 100),
    "otdd": (1000, 1000, 50, 10),
    "tradaboost": (5000, 200, 50, 2),
    "emd": (2000, 2000, 2, 0),
    "sinkhorn": (2000, 2000, 2, 0),
    "sinkhorn-small": (2000, 2000, 2, 0),
    "logistic": (20000, 0, 100, 10),
    "tree": (20000, 0, 50, 5),
}
QUICK_SIZES = {
    "coral": (400, 400, 80, 0),
    "sa": (400, 400, 80, 0),
    "tca": (150, 150, 20, 0),
    "tca-nystroem": (1000, 1000, 20, 0),
    "jda": (150, 120, 40, 3),
    "meda": (150, 120, 40, 3),
    "kmm": (150, 150, 10, 0),
    "kmm-frank-wolfe": (1000, 1000, 10, 0),
    "kliep": (150, 60, 10, 0),
    "ulsif": (150, 150, 10, 0),
    "mmd-test": (100, 100, 10, 0),
    "logme": (500, 0, 40, 5),
    "otdd": (100, 100, 10, 4),
    "tradaboost": (500, 60, 10, 2),
    "emd": (150, 150, 2, 0),
    "sinkhorn": (150, 150, 2, 0),
    "sinkhorn-small": (100, 100, 2, 0),
    "logistic": (1000, 0, 20, 4),
    "tree": (1000, 0, 10, 3),
}


def draw(case: str, size: tuple[int, int, int, int]) -> dict[str, np.ndarray]:
    """The arrays of a case, from a fixed seed."""
    n_source, n_target, d, n_classes = size
    rng = np.random.default_rng(20261124)
    if case in ("coral", "sa"):
        # Spectra that fall off, in different directions in the two domains.
        spectrum = 1.0 / (1.0 + np.arange(d) / 50.0)

        def sample(n):
            directions = scipy.linalg.qr(rng.normal(size=(d, d)))[0]
            return rng.normal(size=(n, d)) * spectrum @ directions

        arrays = {"xs": sample(n_source), "xt": sample(n_target)}
    elif case in ("jda", "meda") and size == SIZES[case] and (folder := surf_folder()):
        xs, ys = surf(folder / "Caltech10_SURF_L10.mat")
        xt, yt = surf(folder / "amazon_SURF_L10.mat")
        arrays = {"xs": xs, "ys": ys, "xt": xt, "yt": yt}
    elif case in ("logme", "otdd"):
        # Rectified, as features of a network are; classes move their means.
        classes = rng.normal(size=(n_classes, d))

        def told(n, shift):
            y = np.arange(n) % n_classes
            return np.maximum(0.3 * classes[y] + shift + rng.normal(size=(n, d)), 0.0), y.astype(float)

        xs, ys = told(n_source, 0.0)
        arrays = {"xs": xs, "ys": ys}
        if n_target:
            xt, yt = told(n_target, 0.2)
            arrays |= {"xt": xt, "yt": yt}
    elif case in ("jda", "meda"):
        # Counts of words: a class uses some words more, and so does a domain.
        classes = rng.gamma(0.3, size=(n_classes, d))
        domains = np.exp(0.7 * rng.normal(size=(2, d)))

        def counted(n, domain):
            y = np.arange(n) % n_classes
            rates = (classes[y] + 0.3) * domains[domain]
            counts = rng.poisson(300.0 * rates / rates.sum(axis=1, keepdims=True))
            x = counts / counts.sum(axis=1, keepdims=True)
            return (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-12), y.astype(float)

        xs, ys = counted(n_source, 0)
        xt, yt = counted(n_target, 1)
        arrays = {"xs": xs, "ys": ys, "xt": xt, "yt": yt}
    elif case in ("emd", "sinkhorn", "sinkhorn-small"):
        xs, xt = rng.normal(size=(n_source, d)), 1.0 + 0.5 * rng.normal(size=(n_target, d))
        cost = ((xs[:, None, :] - xt[None, :, :]) ** 2).sum(axis=2)
        a, b = rng.random(n_source) + 0.5, rng.random(n_target) + 0.5
        arrays = {"cost": cost / np.median(cost), "a": a / a.sum(), "b": b / b.sum()}
    elif case in ("tca", "tca-nystroem", "kmm", "kmm-frank-wolfe", "kliep", "ulsif", "mmd-test"):
        shift = 0.5 if case.startswith("tca") else 0.3
        arrays = {
            "xs": rng.normal(size=(n_source, d)),
            "xt": shift + 0.8 * rng.normal(size=(n_target, d)),
        }
    elif case == "tradaboost":
        # What TrAdaBoost is for: a learner that does better than chance on the target (the paper asks for ε < ½), and a
        # source of which 30 % follow another rule. A rule is a vote of five features.
        rules = rng.choice(d, size=(2, 5), replace=False)

        def labelled(n, misled):
            x = single(rng.normal(size=(n, d)))
            votes = (x[:, rules] > 0.0).sum(axis=2) > 2
            return x, np.where(rng.random(n) < misled, votes[:, 1], votes[:, 0]).astype(float)

        xs, ys = labelled(n_source, 0.3)
        xt, yt = labelled(n_target, 0.0)
        xv, yv = labelled(20000, 0.0)
        arrays = {"xs": xs, "ys": ys, "xt": xt, "yt": yt, "xv": xv, "yv": yv}
    else:
        x = single(rng.normal(size=(n_source, d)))
        scores = x @ rng.normal(size=(d, n_classes)) + 4.0 * rng.normal(size=(n_source, n_classes))
        weights = rng.gamma(2.0, 0.5, size=n_source)
        arrays = {"xs": x, "ys": scores.argmax(axis=1).astype(float), "w": weights}
    return {
        name: np.ascontiguousarray(a[:, None] if a.ndim == 1 else a)
        for name, a in arrays.items()
    }


def surf_folder() -> Path | None:
    """Where the files of Office-Caltech are, if they are here."""
    mirror = os.environ.get("TRANSLEARN_MIRROR")
    folder = Path(mirror or "") / "office-caltech10-surf"
    return folder if mirror and folder.is_dir() else None


def surf(path: Path):
    """Shares of visual words, standardised by column, and classes from 0."""
    file = scipy.io.loadmat(path)
    x = file["fts"].astype(float)
    x /= x.sum(axis=1, keepdims=True)
    return (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-12), file["labels"].ravel() - 1.0


def single(x):
    """Values that single precision holds exactly, as scikit-learn's trees round to it."""
    return x.astype(np.float32).astype(np.float64)


class Judge:
    """Figures of merit of a case; what does not depend on the outputs is computed once."""

    def __init__(self, case: str, arrays: dict[str, np.ndarray]):
        # `sinkhorn-small` is judged as `sinkhorn`.
        name = case.removesuffix("-small").replace("-", "_")
        self.figures = getattr(self, name)
        self.arrays = arrays
        getattr(self, f"prepare_{name}", lambda: None)()

    # CORAL: the covariance of the mapped source is the target's.

    def coral(self, out):
        goal = np.cov(self.arrays["xt"], rowvar=False)
        got = np.cov(out["source"], rowvar=False)
        residual = np.linalg.norm(got - goal) / np.linalg.norm(goal)
        return [Figure("‖AᵀC_sA−C_t‖/‖C_t‖", residual, 1.0)]

    # Subspace alignment: both bases hold as much variance as any of their size, and the rotation is the best one.

    def prepare_sa(self):
        self.covariances = [np.cov(self.arrays[name], rowvar=False) for name in ("xs", "xt")]
        k = COMPONENTS["sa"]
        self.most = sum(np.linalg.eigvalsh(c)[-k:].sum() for c in self.covariances)

    def sa(self, out):
        source = np.linalg.qr(out["source_map"])[0]
        target = out["target_map"]
        held = sum(np.trace(p.T @ c @ p) for p, c in zip((source, target), self.covariances))
        best = source @ (source.T @ target)
        rotation = np.linalg.norm(out["source_map"] - best)
        distance = np.linalg.norm(out["source_map"] - target)
        return [
            Figure("variance lost", 1.0 - held / self.most, 1.0),
            Figure("‖P_sM−P_sP_sᵀP_t‖", rotation, 1.0),
            Figure("‖P_sM−P_t‖", distance, np.inf),
        ]

    # TCA: the trace of the pencil on the span of the components, as a share of the largest there is.

    def prepare_tca(self):
        x = np.vstack([self.arrays["xs"], self.arrays["xt"]])
        n_s, n_t, n = len(self.arrays["xs"]), len(self.arrays["xt"]), len(x)
        squares = (x * x).sum(axis=1)
        distances = np.maximum(squares[:, None] + squares - 2.0 * x @ x.T, 0.0)
        kernel = np.exp(-distances / x.shape[1])
        e = np.concatenate([np.full(n_s, 1.0 / n_s), np.full(n_t, -1.0 / n_t)])
        centred = kernel - kernel.mean(axis=0)
        self.scatter = centred.T @ centred
        self.penalty = np.eye(n) + TCA_MU * np.outer(kernel @ e, kernel @ e)
        last = (n - COMPONENTS["tca"], n - 1)
        self.best = scipy.linalg.eigh(
            self.scatter, self.penalty, subset_by_index=last, eigvals_only=True
        ).sum()

    def tca(self, out):
        a = np.linalg.qr(out["coefficients"])[0]
        value = np.trace(np.linalg.solve(a.T @ self.penalty @ a, a.T @ self.scatter @ a))
        return [Figure("trace below optimum", 1.0 - value / self.best, 1.0)]

    # TCA from a sample of rows, which each side draws for itself: how far apart the domains are, for information.

    def tca_nystroem(self, out):
        source, target = out["source"], out["target"]
        apart = ((source.mean(axis=0) - target.mean(axis=0)) ** 2).sum()
        spread = np.vstack([source, target]).var(axis=0).sum()
        return [Figure("means apart / variance", apart / spread, np.inf)]

    # KMM: the objective, and how far the weights are from its optimality conditions.

    def prepare_kmm(self):
        xs, xt = self.arrays["xs"], self.arrays["xt"]
        n, d = xs.shape

        def rbf(x, y):
            squared = (x * x).sum(axis=1)[:, None] + (y * y).sum(axis=1) - 2.0 * x @ y.T
            return np.exp(-np.maximum(squared, 0.0) / d)

        self.kernel = rbf(xs, xs)
        self.kappa = rbf(xs, xt).sum(axis=1) * (n / len(xt))
        slack = (np.sqrt(n) - 1.0) / np.sqrt(n)
        self.band = (n * (1.0 - slack), n * (1.0 + slack))
        self.upper = 1000.0

    def kmm(self, out):
        weights = out["weights"].ravel()
        product = self.kernel @ weights
        objective = 0.5 * weights @ product - self.kappa @ weights
        step = self.project(weights - (product - self.kappa)) - weights
        violation = np.abs(step).max() / max(1.0, np.abs(self.kappa).max())
        return [
            Figure("½βᵀKβ−κᵀβ", objective),
            Figure("KKT violation", violation),
        ]

    def project(self, point):
        """The nearest point within the bounds of the weights and of their sum."""

        def clipped(shift):
            return np.clip(point - shift, 0.0, self.upper)

        goal = np.clip(clipped(0.0).sum(), *self.band)
        if clipped(0.0).sum() == goal:
            return clipped(0.0)
        reach = np.abs(point).max() + self.upper
        low, high = -reach, reach
        for _ in range(200):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if clipped(middle).sum() > goal else (low, middle)
        return clipped(high)

    # KLIEP: the mean log-likelihood of the target rows, which only a side itself can tell, from its functions.

    def kliep(self, out):
        return [Figure("−mean log-likelihood", -out["likelihood"].item())] + self.ulsif(out)

    # Density ratios: the distance to the ratio of the densities that the rows were drawn from, for information.

    def prepare_kliep(self):
        xs, d = self.arrays["xs"], self.arrays["xs"].shape[1]
        log_ratio = 0.5 * (xs**2).sum(axis=1) - 0.5 * (((xs - 0.3) / 0.8) ** 2).sum(axis=1) - d * np.log(0.8)
        self.ratio = np.exp(log_ratio)
        self.ratio /= self.ratio.mean()

    prepare_ulsif = prepare_kliep

    def ulsif(self, out):
        weights = out["weights"].ravel()
        error = np.sqrt(((weights / weights.mean() - self.ratio) ** 2).mean())
        return [Figure("distance to the ratio", error, np.inf)]

    # The test of the MMD: the statistic, pair by pair.

    def prepare_mmd_test(self):
        xs, xt = self.arrays["xs"], self.arrays["xt"]

        def mean(x, y, own):
            sums = [np.exp(-((y - row) ** 2).sum(axis=1) / x.shape[1]).sum() for row in x]
            return (sum(sums) - own * len(x)) / (len(x) * (len(y) - own))

        self.distance = mean(xs, xs, 1) + mean(xt, xt, 1) - 2.0 * mean(xs, xt, 0)

    def mmd_test(self, out):
        return [Figure("|MMD²−its formula|", abs(out["statistic"].item() - self.distance), 1.0)]

    # LogME: the evidence that was found, which has a largest value. OTDD: the smallest of all plans is asked for.

    def logme(self, out):
        return [Figure("−LogME", -out["score"].item())]

    def otdd(self, out):
        return [Figure("OTDD", out["distance"].item())]

    # Transport: the cost, and how far the masses are from those asked for.

    def emd(self, out):
        return [Figure("⟨C,P⟩", (out["plan"] * self.arrays["cost"]).sum()), self.masses(out)]

    def sinkhorn(self, out):
        return [self.masses(out), Figure("⟨C,P⟩", (out["plan"] * self.arrays["cost"]).sum(), np.inf)]

    def masses(self, out):
        rows = np.abs(out["plan"].sum(axis=1) - self.arrays["a"].ravel()).sum()
        columns = np.abs(out["plan"].sum(axis=0) - self.arrays["b"].ravel()).sum()
        return Figure("error of the masses", max(rows, columns), 1.0)

    # Methods as a whole: the share of wrong labels on the target, for information.

    def jda(self, out):
        wrong = (out["predicted"].ravel() != self.arrays["yt"].ravel()).mean()
        return [Figure("target error", wrong, np.inf)]

    meda = jda

    # TrAdaBoost: no objective; the share of wrong labels on target rows held out.

    def tradaboost(self, out):
        wrong = (out["predicted"].ravel() != self.arrays["yv"].ravel()).mean()
        return [Figure("target error", wrong)]

    # Weighted learners: the objective, the impurity.

    def logistic(self, out):
        y = self.arrays["ys"].ravel().astype(int)
        w = out["coefficients"]
        scores = self.arrays["xs"] @ w.T + out["intercepts"].ravel()
        losses = scipy.special.logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]
        return [Figure("Σaᵢℓᵢ+½‖W‖²", self.arrays["w"].ravel() @ losses + 0.5 * (w * w).sum())]

    def tree(self, out):
        y = self.arrays["ys"].ravel().astype(int)
        a = self.arrays["w"].ravel() / self.arrays["w"].sum()
        shares = out["shares"]
        return [
            Figure("weighted Gini", a @ (1.0 - (shares**2).sum(axis=1))),
            Figure("weighted error", a @ (shares.argmax(axis=1) != y), np.inf),
        ]
