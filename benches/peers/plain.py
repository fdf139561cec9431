"""JDA, MEDA, TCA from a sample of rows, the test of the MMD, LogME and OTDD as one writes them in NumPy, SciPy and scikit-learn from the papers."""

import numpy as np
import scipy.linalg
from sklearn.kernel_approximation import Nystroem
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def discrepancy(ys, guess, n_target, share):
    """The matrix M over its norm: (1 - share) of the domains against share of the classes; none guessed: of the domains."""
    n_classes = int(ys.max()) + 1
    e = np.concatenate([np.full(len(ys), 1.0 / len(ys)), np.full(n_target, -1.0 / n_target)])
    m = np.outer(e, e) * n_classes * (1.0 if guess is None else 1.0 - share)
    if guess is not None:
        for label in range(n_classes):
            source, target = ys == label, guess == label
            if source.any() and target.any():
                e = np.concatenate([source / source.sum(), -(target / target.sum())])
                m = m + share * np.outer(e, e)
    return m / np.linalg.norm(m, "fro")


def nearest(source, ys, target, neighbours=1):
    return KNeighborsClassifier(neighbours).fit(source, ys).predict(target)


def jda(xs, ys, xt, n_components, weight=1.0, rounds=10):
    x = unit(np.vstack([xs, xt]))
    n = len(x)
    centring = np.eye(n) - np.full((n, n), 1.0 / n)
    scatter = x.T @ centring @ x
    guess = None
    for _ in range(rounds):
        m = discrepancy(ys, guess, len(xt), 0.5)
        penalty = x.T @ m @ x + weight * np.eye(x.shape[1])
        last = (x.shape[1] - n_components, x.shape[1] - 1)
        _, a = scipy.linalg.eigh(scatter, penalty, subset_by_index=last)
        z = unit(x @ (a / np.linalg.norm(a, axis=0)))
        guess = nearest(z[: len(xs)], ys, z[len(xs) :])
    return guess


def geodesic_root(xs, xt, k):
    """The square root of the geodesic flow kernel between the first k principal directions."""
    ps, pt = (scipy.linalg.svd(x - x.mean(axis=0))[2].T for x in (xs, xt))
    rest, ps, pt = ps[:, k:], ps[:, :k], pt[:, :k]
    u1, cosine, v = scipy.linalg.svd(ps.T @ pt)
    v = v.T
    theta = np.arccos(np.clip(cosine, -1.0, 1.0))
    u2 = -(rest @ (rest.T @ pt @ v)) / np.maximum(np.sin(theta), 1e-20)
    twice = np.maximum(2.0 * theta, 1e-20)
    sine = np.where(theta < 1e-10, 1.0, np.sin(twice) / twice)
    middle = np.where(theta < 1e-10, 0.0, (np.cos(twice) - 1.0) / twice)
    first, last = ps @ u1, u2
    g = (
        (first * (1.0 + sine)) @ first.T
        + (first * middle) @ last.T
        + (last * middle) @ first.T
        + (last * (1.0 - sine)) @ last.T
    )
    return np.real(scipy.linalg.sqrtm(g))


def distance(a, b):
    """The proxy A-distance, from the training error of a linear support vector machine."""
    x = np.vstack([a, b])
    y = np.concatenate([np.zeros(len(a)), np.ones(len(b))])
    error = (LinearSVC(max_iter=1000).fit(x, y).predict(x) != y).mean()
    return max(0.0, 2.0 * (1.0 - 2.0 * error))


def meda(xs, ys, xt, k=20, weight=10.0, rho=1.0, eta=0.1, neighbours=10, gamma=0.5, rounds=10):
    z = unit(np.vstack([xs, xt]) @ geodesic_root(xs, xt, k))
    zs, zt = z[: len(xs)], z[len(xs) :]
    n, n_classes = len(z), int(ys.max()) + 1
    cosines = z @ z.T
    near = np.zeros((n, n), bool)
    order = np.argsort(-cosines, axis=1)[:, :neighbours]
    near[np.arange(n)[:, None], order] = True
    w = np.where(near & near.T, cosines, 0.0)
    root = 1.0 / np.sqrt(w.sum(axis=1))
    laplacian = np.eye(n) - root[:, None] * w * root
    kernel = np.exp(-gamma * np.maximum(2.0 - 2.0 * cosines, 0.0))
    labelled = np.diag(np.concatenate([np.ones(len(xs)), np.zeros(len(xt))]))
    y = np.zeros((n, n_classes))
    y[np.arange(len(xs)), ys] = 1.0
    guess = nearest(zs, ys, zt)
    whole = distance(zs, zt)
    for _ in range(rounds):
        both = [c for c in range(n_classes) if (ys == c).any() and (guess == c).any()]
        classes = np.mean([distance(zs[ys == c], zt[guess == c]) for c in both])
        m = discrepancy(ys, guess, len(xt), classes / (classes + whole))
        left = (labelled + weight * m + rho * laplacian) @ kernel + eta * np.eye(n)
        beta = scipy.linalg.solve(left, labelled @ y)
        guess = (kernel @ beta)[len(xs) :].argmax(axis=1)
    return guess


def tca_nystroem(xs, xt, n_components, weight, gamma, n_features=300):
    """Both domains on the components of `K ≈ ΦΦᵀ`, in the basis of the rows' span; `weight` is that of the penalty."""
    x = np.vstack([xs, xt])
    phi = Nystroem(gamma=gamma, n_components=n_features, random_state=0).fit_transform(x)
    values, vectors = scipy.linalg.eigh(phi.T @ phi)
    f = phi @ (vectors * np.sqrt(np.maximum(values, 0.0)))
    e = np.concatenate([np.full(len(xs), 1.0 / len(xs)), np.full(len(xt), -1.0 / len(xt))])
    pull = f.T @ e / np.linalg.norm(e)
    centred = f - f.mean(axis=0)
    penalty = np.outer(pull, pull) + weight * np.eye(n_features)
    last = (n_features - n_components, n_features - 1)
    _, a = scipy.linalg.eigh(centred.T @ centred, penalty, subset_by_index=last)
    z = f @ (a / np.linalg.norm(a, axis=0))
    return z[: len(xs)], z[len(xs) :]


def mmd_test(xs, xt, permutations):
    """The unbiased MMD² and its p-value, the kernel matrix indexed anew for every permutation."""
    x = np.vstack([xs, xt])
    squares = (x * x).sum(axis=1)
    kernel = np.exp(-np.maximum(squares[:, None] + squares - 2.0 * x @ x.T, 0.0) / x.shape[1])
    np.fill_diagonal(kernel, 0.0)
    m, n = len(xs), len(xt)

    def statistic(order):
        k = kernel[np.ix_(order, order)]
        within = k[:m, :m].sum() / (m * (m - 1)) + k[m:, m:].sum() / (n * (n - 1))
        return within - 2.0 * k[:m, m:].mean()

    observed = statistic(np.arange(m + n))
    rng = np.random.default_rng(0)
    null = [statistic(rng.permutation(m + n)) for _ in range(permutations)]
    return observed, (1 + sum(value >= observed for value in null)) / (1 + permutations)


def log_me(f, labels):
    """The public implementation's steps: the spectrum by FᵀF, then α and β in turns, eleven times at most, a class at a time."""
    n, d = f.shape
    v, sigma, _ = np.linalg.svd(f.T @ f)
    rank = int((sigma > 1e-10 * sigma[0]).sum())
    v, sigma = v[:, :rank], sigma[:rank]
    u = f @ v / np.sqrt(sigma)
    found = []
    for label in range(labels.max() + 1):
        y = (labels == label).astype(float)
        z = (u.T @ y) ** 2
        rest = max(y @ y - z.sum(), 0.0)
        alpha, beta = 1.0, 1.0
        for _ in range(11):
            ratio = alpha / beta
            gamma = (sigma / (sigma + ratio)).sum()
            length = (sigma * z / (ratio + sigma) ** 2).sum()
            error = (z * ratio**2 / (ratio + sigma) ** 2).sum() + rest
            alpha, beta = gamma / (length + 1e-5), (n - gamma) / (error + 1e-5)
            if abs(alpha / beta - ratio) <= 1e-3 * ratio:
                break
        evidence = 0.5 * (rank * np.log(alpha) + n * np.log(beta) - np.log(alpha + beta * sigma).sum())
        evidence -= 0.5 * (beta * error + alpha * length + n * np.log(2.0 * np.pi))
        found.append(evidence / n)
    return float(np.mean(found))


def otdd(xs, ys, xt, yt):
    """Exact transport by POT, distances of normal distributions by SciPy's matrix roots."""
    import ot

    def classes(x, y):
        return [(x[y == c].mean(axis=0), np.cov(x[y == c], rowvar=False, bias=True)) for c in np.unique(y)]

    def apart(a, b):
        root = scipy.linalg.sqrtm(a[1]).real
        cross = scipy.linalg.sqrtm(root @ b[1] @ root).real
        return ((a[0] - b[0]) ** 2).sum() + np.trace(a[1] + b[1] - 2.0 * cross)

    labels = np.array([[apart(a, b) for b in classes(xt, yt)] for a in classes(xs, ys)])
    cost = ot.dist(xs, xt) + np.maximum(labels, 0.0)[np.ix_(ys, yt)]
    return float(np.sqrt(ot.emd2(ot.unif(len(xs)), ot.unif(len(xt)), cost, numItermax=10_000_000)))
