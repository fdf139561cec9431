"""The peers' side of the comparison: `peers.py CASE PEER FOLDER`.

Reads the arrays in FOLDER, then answers one request a line, as `translearn-peerbench` does: `{"run": {}}` runs once and answers
`{"seconds": …}`, `{"save": "PREFIX"}` writes what the last run gave. Arrays in, model and transformed or weighted data out; the
peers' own validation of their input counts, as ours does.
"""

import json
import os
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

# Answers go to the real standard output; whatever a library prints goes to standard error.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402

from cases import COMPONENTS, TCA_MU  # noqa: E402

RIDGE = 1e-12


class Peer:
    """A case of a peer: `run` is timed, `export` gives named matrices afterwards."""

    distribution = ""

    def __init__(self, arrays):
        self.xs, self.xt = arrays["xs"], arrays.get("xt")
        self.arrays = arrays


class Skada(Peer):
    distribution = "skada"

    def __init__(self, arrays):
        super().__init__(arrays)
        # Its data convention: both domains stacked, with the sign of a domain label apart.
        self.x = np.vstack([self.xs, self.xt])
        self.domain = np.concatenate([np.ones(len(self.xs), int), -np.ones(len(self.xt), int)])

    def run(self):
        self.model = self.estimator()
        self.mapped = self.model.fit_transform(self.x, sample_domain=self.domain)


class SkadaCoral(Skada):
    def estimator(self):
        from skada._mapping import CORALAdapter

        return CORALAdapter(reg=None)

    def export(self):
        return {"source": self.mapped[: len(self.xs)], "target": self.mapped[len(self.xs) :]}


class SkadaSa(Skada):
    def estimator(self):
        from skada._subspace import SubspaceAlignmentAdapter

        return SubspaceAlignmentAdapter(n_components=COMPONENTS["sa"], random_state=0)

    def export(self):
        return {
            "source_map": self.model.pca_source_.components_.T @ self.model.M_,
            "target_map": self.model.pca_target_.components_.T,
        }


class SkadaTca(Skada):
    def estimator(self):
        from skada._subspace import TransferComponentAnalysisAdapter

        return TransferComponentAnalysisAdapter(n_components=COMPONENTS["tca"], mu=TCA_MU)

    def export(self):
        return {"coefficients": self.model.eigvects_}


class SkadaKmm(Skada):
    def run(self):
        from skada._reweight import KMMReweightAdapter

        self.model = KMMReweightAdapter(gamma=1.0 / self.x.shape[1])
        self.model.fit(self.x, sample_domain=self.domain)

    def export(self):
        return {"weights": self.model.source_weights_[:, None]}


class Adapt(Peer):
    distribution = "adapt"

    def run(self):
        self.model = self.estimator()
        self.source = self.model.fit_transform(self.xs, self.xt)
        self.target = self.model.transform(self.xt, domain="tgt")


class AdaptCoral(Adapt):
    def estimator(self):
        from adapt.feature_based import CORAL

        return CORAL(lambda_=RIDGE, verbose=0)

    def export(self):
        return {"source": self.source, "target": self.target}


class AdaptSa(Adapt):
    def estimator(self):
        from adapt.feature_based import SA

        return SA(n_components=COMPONENTS["sa"], verbose=0, random_state=0)

    def export(self):
        return {
            "source_map": self.model.pca_src_.components_.T @ self.model.M_,
            "target_map": self.model.pca_tgt_.components_.T,
        }


class AdaptTca(Adapt):
    def estimator(self):
        from adapt.feature_based import TCA

        gamma = 1.0 / self.xs.shape[1]
        return TCA(n_components=COMPONENTS["tca"], mu=TCA_MU, gamma=gamma, verbose=0)

    def export(self):
        return {"coefficients": self.model.vectors_}


class AdaptKmm(Adapt):
    def run(self):
        from adapt.instance_based import KMM

        self.model = KMM(gamma=1.0 / self.xs.shape[1], verbose=0, random_state=0)
        self.weights = self.model.fit_weights(self.xs, self.xt)

    def export(self):
        return {"weights": self.weights[:, None]}


def likelihood(model_functions, alphas):
    """The mean log-likelihood of the target rows under a ratio whose mean at the source rows is 1."""
    source, target = (functions @ np.ravel(alphas) for functions in model_functions)
    return {
        "weights": source[:, None],
        "likelihood": np.array([[np.log(target).mean() - np.log(source.mean())]]),
    }


def gaussians(peer, centers):
    from sklearn.metrics.pairwise import rbf_kernel

    return [rbf_kernel(x, centers, gamma=1.0 / peer.xs.shape[1]) for x in (peer.xs, peer.xt)]


class SkadaKliep(Skada):
    def run(self):
        from skada._reweight import KLIEPReweightAdapter

        gamma, n_centers = 1.0 / self.x.shape[1], len(self.xt)
        self.model = KLIEPReweightAdapter(gamma=gamma, n_centers=n_centers, random_state=0)
        self.model.fit(self.x, sample_domain=self.domain)
        self.weights = self.model.compute_weights(self.x, sample_domain=self.domain)

    def export(self):
        return likelihood(gaussians(self, self.model.centers_), self.model.alpha_)


class AdaptKliep(Adapt):
    def run(self):
        from adapt.instance_based import KLIEP

        gamma, max_centers = 1.0 / self.xs.shape[1], len(self.xt)
        self.model = KLIEP(gamma=gamma, max_centers=max_centers, verbose=0, random_state=0)
        self.weights = self.model.fit_weights(self.xs, self.xt)

    def export(self):
        return likelihood(gaussians(self, self.model.centers_), self.model.alphas_)


class AdaptUlsif(Adapt):
    def run(self):
        from adapt.instance_based import ULSIF

        # As many widths and penalties as ours tries by itself.
        widths = list(10.0 ** np.arange(-2.0, 1.5, 0.5) / self.xs.shape[1])
        penalties = [1e-3, 1e-2, 1e-1, 1.0, 10.0]
        self.model = ULSIF(gamma=widths, lambdas=penalties, verbose=0, random_state=0)
        self.weights = self.model.fit_weights(self.xs, self.xt)

    def export(self):
        return {"weights": np.reshape(self.weights, (-1, 1))}


class AdaptTrAdaBoost(Adapt):
    def run(self):
        from adapt.instance_based import TrAdaBoost
        from sklearn.tree import DecisionTreeClassifier

        yt = self.arrays["yt"].ravel()
        learner = DecisionTreeClassifier(max_depth=3, random_state=0)
        self.model = TrAdaBoost(
            learner, Xt=self.xt, yt=yt, n_estimators=50, verbose=0, random_state=0
        )
        self.model.fit(self.xs, self.arrays["ys"].ravel())

    def export(self):
        predicted = np.asarray(self.model.predict(self.arrays["xv"]), dtype=float)
        return {"predicted": predicted.reshape(-1, 1)}


class ScikitLearn(Peer):
    distribution = "scikit-learn"

    def run(self):
        self.model = self.estimator()
        y, w = self.arrays["ys"].ravel(), self.arrays["w"].ravel()
        self.model.fit(self.xs, y, sample_weight=w)


class ScikitLogistic(ScikitLearn):
    def estimator(self):
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=1.0, max_iter=1000)

    def export(self):
        return {"coefficients": self.model.coef_, "intercepts": self.model.intercept_[:, None]}


class ScikitTree(ScikitLearn):
    def estimator(self):
        from sklearn.tree import DecisionTreeClassifier

        return DecisionTreeClassifier(max_depth=8, random_state=0)

    def export(self):
        return {"shares": self.model.predict_proba(self.xs)}


class Pot(Peer):
    distribution = "pot"

    def __init__(self, arrays):
        self.cost = arrays["cost"]
        self.masses = arrays["a"].ravel(), arrays["b"].ravel()

    def run(self):
        self.plan = self.solve(*self.masses, self.cost)

    def export(self):
        return {"plan": self.plan}


class PotEmd(Pot):
    def solve(self, a, b, cost):
        import ot

        return ot.emd(a, b, cost, numItermax=10_000_000)


class PotSinkhorn(Pot):
    def solve(self, a, b, cost):
        import ot

        # The default looks at the error every tenth iteration; it is never reached.
        return ot.sinkhorn(a, b, cost, 0.05, method="sinkhorn", numItermax=200, stopThr=0.0)


class PotSinkhornLog(Pot):
    def solve(self, a, b, cost):
        import ot

        return ot.sinkhorn(a, b, cost, 0.001, method="sinkhorn_log", numItermax=200, stopThr=0.0)


class Plain(Peer):
    distribution = "numpy"

    def export(self):
        return {"predicted": self.predicted.astype(float).reshape(-1, 1)}


class PlainJda(Plain):
    def run(self):
        from plain import jda

        n_components = min(100, self.xs.shape[1])
        labels = self.arrays["ys"].ravel().astype(int)
        self.predicted = jda(self.xs, labels, self.xt, n_components)


class PlainMeda(Plain):
    def run(self):
        from plain import meda

        self.predicted = meda(self.xs, self.arrays["ys"].ravel().astype(int), self.xt)


class PlainMmdTest(Plain):
    def run(self):
        from plain import mmd_test

        self.statistic, _ = mmd_test(self.xs, self.xt, 500)

    def export(self):
        return {"statistic": np.array([[self.statistic]])}


class PlainLogMe(Plain):
    def run(self):
        from plain import log_me

        self.score = log_me(self.xs, self.arrays["ys"].ravel().astype(int))

    def export(self):
        return {"score": np.array([[self.score]])}


class PotOtdd(Peer):
    distribution = "pot"

    def run(self):
        from plain import otdd

        ys, yt = (self.arrays[name].ravel().astype(int) for name in ("ys", "yt"))
        self.distance = otdd(self.xs, ys, self.xt, yt)

    def export(self):
        return {"distance": np.array([[self.distance]])}


class PlainTcaNystroem(Plain):
    def run(self):
        from plain import tca_nystroem

        length = 1.0 / len(self.xs) + 1.0 / len(self.xt)
        self.mapped = tca_nystroem(
            self.xs, self.xt, COMPONENTS["tca"], 1.0 / (TCA_MU * length), 1.0 / self.xs.shape[1]
        )

    def export(self):
        return dict(zip(("source", "target"), self.mapped))


PEERS = {
    ("coral", "skada"): SkadaCoral,
    ("coral", "adapt"): AdaptCoral,
    ("sa", "skada"): SkadaSa,
    ("sa", "adapt"): AdaptSa,
    ("tca", "skada"): SkadaTca,
    ("tca", "adapt"): AdaptTca,
    ("kmm", "skada"): SkadaKmm,
    ("kmm", "adapt"): AdaptKmm,
    ("tca-nystroem", "numpy"): PlainTcaNystroem,
    ("jda", "numpy"): PlainJda,
    ("meda", "numpy"): PlainMeda,
    ("kliep", "skada"): SkadaKliep,
    ("kliep", "adapt"): AdaptKliep,
    ("ulsif", "adapt"): AdaptUlsif,
    ("mmd-test", "numpy"): PlainMmdTest,
    ("logme", "numpy"): PlainLogMe,
    ("otdd", "pot"): PotOtdd,
    ("emd", "pot"): PotEmd,
    ("sinkhorn", "pot"): PotSinkhorn,
    ("sinkhorn-small", "pot"): PotSinkhornLog,
    ("tradaboost", "adapt"): AdaptTrAdaBoost,
    ("logistic", "scikit-learn"): ScikitLogistic,
    ("tree", "scikit-learn"): ScikitTree,
}


def answer(**fields):
    print(json.dumps(fields), file=ANSWERS, flush=True)


def main():
    case, name, folder = sys.argv[1:]
    arrays = {path.stem: np.load(path) for path in sorted(Path(folder).glob("*.npy"))}
    peer = PEERS[case, name](arrays)
    answer(ready=version(peer.distribution))
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "run" in request:
                start = time.perf_counter()
                peer.run()
                answer(seconds=time.perf_counter() - start)
            else:
                for key, array in peer.export().items():
                    np.save(f"{request['save']}{key}.npy", np.ascontiguousarray(array, dtype=float))
                answer(saved=request["save"])
        except Exception as error:  # whatever a peer raises is an answer
            answer(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
