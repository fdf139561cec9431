"""Writes ../transfer-or-not.toml: the problems on which the gate and the adviser are measured.

Half of the data sets and generators are for tuning, the others for testing; no set is on both sides. A problem is

* natural: two domains, groups of classes or halves of a real set as they are,
* corrupted: such a pair where a share of the source's labels is dealt out anew (1.0: permuted),
* generated: two domains that are drawn.

Each comes without labelled target rows, with 5 of a class, and with more: 50 of a class, or 20 where there are ten classes.

    python3 problems.py
"""

from itertools import combinations, permutations
from pathlib import Path

LEVELS = ["no labels", "5 a class", "more"]


def part(name, domain=None, classes=None):
    keys = [f'set = "{name}"']
    if domain:
        keys.append(f'domain = "{domain}"')
    if classes:
        groups = ", ".join(f"{new} = [{', '.join(repr(str(old)) for old in of)}]" for new, of in classes.items())
        keys.append(f"classes = {{ {groups} }}")
    return "{ " + ", ".join(keys).replace("'", '"') + " }"


def drawn(kind, draw, **options):
    options = {"n_source": 300, "n_target": 800, **options}
    keys = "".join(f", {key} = {value}" for key, value in options.items())
    return f'{{ generate = {{ kind = "{kind}"{keys} }}, draw = {draw} }}'


class Problems:
    def __init__(self):
        self.tasks = []
        self.counts = {}

    def add(self, side, kind, name, source, target, *, steps=(), share=None, sizes=("count = 300", "count = 800"), more=50, extra=()):
        """A problem at each level; `share` of the source's labels is dealt out anew."""
        self.counts[side, kind] = self.counts.get((side, kind), 0) + 1
        for level, per_class in zip(LEVELS, (None, 5, more)):
            groups = [side, f"{side}, {kind}", f"{side}, {level}", f"{side}, {kind}, {level}"]
            lines = [
                "[[task]]",
                f'name = "{name}, {level}"',
                "group = [" + ", ".join(f'"{group}"' for group in groups) + "]",
                f"source = {source}",
                f"target = {target}",
            ]
            source_rows, target_rows = sizes
            if source_rows:
                lines.append(f"source_sample = {{ {source_rows} }}")
            if target_rows:
                lines.append(f"target_sample = {{ {target_rows} }}")
            if per_class:
                lines.append(f"labelled = {{ per_class = {per_class} }}")
            if share:
                lines.append(f"corrupt_source = {{ labels = {share} }}")
            if steps:
                lines.append("preprocess = [" + ", ".join(f'"{step}"' for step in steps) + "]")
            self.tasks.append("\n".join([*lines, *extra]))

    def real(self, side, name, source, target, shares=(), **keys):
        """A natural problem and its corrupted forms."""
        self.add(side, "natural", name, source, target, **keys)
        for share in shares:
            how = "permuted" if share == 1.0 else f"{share:.0%} corrupted".replace("%", " %")
            self.add(side, "corrupted", f"{name}, {how}", source, target, share=share, **keys)


def tuning(problems):
    office = "office-caltech10-surf"
    # All of webcam's 295 rows.
    for source, target, rows, shares in [("caltech10", "amazon", "count = 300", (1.0,)), ("amazon", "caltech10", "count = 300", ()),
                                         ("webcam", "amazon", None, ()), ("webcam", "caltech10", None, ())]:
        problems.real("tuning", f"{source}→{target}", part(office, source), part(office, target), shares,
                      steps=("l1-rows", "zscore-per-domain"), sizes=(rows, "count = 800"), more=20)
    for source, target in permutations(["mnist", "usps"]):
        problems.real("tuning", f"{source}→{target}", part("mnist-usps", source), part("mnist-usps", target),
                      (0.5, 1.0), steps=("l2-rows",), more=20)
    pairs = [((3, 5), (8, 6)), ((4, 7), (9, 1)), ((1, 2), (7, 3)), ((0, 4), (6, 9)), ((2, 8), (3, 9)), ((5, 6), (5, 8)),
             ((4, 1), (4, 7)), ((3, 8), (5, 8))]
    for place, (old, new) in enumerate(pairs):
        domain = ["mnist", "usps"][place % 2]
        # In the file, classes count from 1.
        groups = [{"one": [pair[0] + 1], "other": [pair[1] + 1]} for pair in (old, new)]
        name = f"{domain} {old[0]} or {old[1]}→{new[0]} or {new[1]}"
        problems.real("tuning", name, part("mnist-usps", domain, groups[0]), part("mnist-usps", domain, groups[1]),
                      steps=("l2-rows",), sizes=("count = 200", None))
    # Every label that is named has to be there: no red wine has 9.
    wine = {"red": {"bad": [3, 4, 5], "good": [6, 7, 8]}, "white": {"bad": [3, 4, 5], "good": [6, 7, 8, 9]}}
    for source, target in permutations(["red", "white"]):
        problems.real("tuning", f"{source}→{target} wine", part("wine-quality", source, wine[source]),
                      part("wine-quality", target, wine[target]), (1.0,), steps=("zscore-per-domain",))
    for feature in ["alcohol", "sulphates"]:
        for source, target in permutations([f"low-{feature}", f"high-{feature}"]):
            problems.real("tuning", f"{source}→{target} wine", part("wine-quality-embedded", source),
                          part("wine-quality-embedded", target), steps=("zscore",), sizes=("count = 300", None))
    for draw, shift in enumerate([0.0, 0.5, 1.0, 1.5, 2.0, 2.5]):
        for curvature in [0.3, 0.8]:
            problems.add("tuning", "generated", f"covariate shift {shift}, curvature {curvature}",
                         drawn("covariate-shift", draw, n_features=4, shift=shift, curvature=curvature),
                         drawn("covariate-shift", draw, n_features=4, shift=shift, curvature=curvature), sizes=(None, None))
    for draw, angle in enumerate([0, 10, 20, 30, 45, 60, 75, 90, 120, 180]):
        generator = drawn("concept-shift", 20 + draw, n_features=[2, 6][draw % 2], angle=angle)
        problems.add("tuning", "generated", f"concept turned by {angle}°", generator, generator, sizes=(None, None))
    for draw, angle in enumerate([0, 15, 25, 35, 45, 60, 75, 90, 120, 180]):
        generator = drawn("two-moons", 40 + draw, noise=0.2, angle=angle)
        problems.add("tuning", "generated", f"moons turned by {angle}°", generator, generator, sizes=(None, None))


def testing(problems):
    speakers = ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]
    shares = {("george", "jackson"): (1.0,), ("lucas", "theo"): (0.5,), ("nicolas", "george"): (1.0,)}
    pairs = [pair for place, pair in enumerate(permutations(speakers, 2)) if place % 2 == 0]
    for source, target in pairs:
        problems.real("test", f"{source}→{target}", part("fsdd", source), part("fsdd", target),
                      shares.get((source, target), ()), steps=("zscore-per-domain",), sizes=("count = 300", None), more=20)
    # Classes count from 0 in the order of the manifest.
    animals = [("cow", 48, "lion", 42, "ox", 20, "tiger", 12), ("horse", 6, "wolf", 31, "zebra", 37, "fox", 21),
               ("seal", 23, "mouse", 43, "walrus", 46, "rat", 33), ("blue whale", 8, "deer", 39, "dolphin", 49, "moose", 15),
               ("leopard", 14, "sheep", 22, "bobcat", 40, "pig", 41), ("gorilla", 19, "rabbit", 28, "chimpanzee", 24, "hamster", 25),
               ("collie", 45, "buffalo", 36, "bat", 29, "elephant", 18), ("giraffe", 30, "otter", 35, "skunk", 10, "raccoon", 47)]
    for place, (a, a_code, b, b_code, c, c_code, d, d_code) in enumerate(animals):
        problems.real("test", f"{a} or {b}→{c} or {d}",
                      part("awa1", classes={"one": [a_code], "other": [b_code]}),
                      part("awa1", classes={"one": [c_code], "other": [d_code]}),
                      {0: (1.0,), 1: (0.5,)}.get(place, ()), steps=("zscore-per-domain",), sizes=("count = 300", "count = 600"))
    for source, target in permutations(["tapering", "enlarging"]):
        problems.real("test", f"{source}→{target} stalks", part("mushroom", source), part("mushroom", target), (0.5, 1.0),
                      steps=("zscore-pooled",))
    # The grades that occur, of 20.
    grades = {
        "maths": {"fail": [0, 4, 5, 6, 7, 8, 9], "pass": range(10, 21)},
        "portuguese": {"fail": [0, 1, 5, 6, 7, 8, 9], "pass": range(10, 20)},
    }
    for source, target in permutations(["maths", "portuguese"]):
        problems.real("test", f"{source}→{target}", part("student-performance", source, grades[source]),
                      part("student-performance", target, grades[target]), (1.0,), steps=("zscore-per-domain",), sizes=("count = 300", None))
    # As in the paper of TrAdaBoost: each class is made of other groups in the source than in the target.
    news = {
        "rec": (["rec.autos", "rec.motorcycles"], ["rec.sport.baseball", "rec.sport.hockey"]),
        "talk": (["talk.politics.guns", "talk.politics.misc"], ["talk.religion.misc", "talk.politics.mideast"]),
        "sci": (["sci.crypt", "sci.electronics"], ["sci.med", "sci.space"]),
        "comp": (["comp.graphics", "comp.os.ms-windows.misc"], ["comp.sys.ibm.pc.hardware", "comp.windows.x"]),
    }
    for place, (one, other) in enumerate(combinations(news, 2)):
        for turn in range(2):
            old, new = ({name: news[name][side] for name in (one, other)} for side in (turn, 1 - turn))
            problems.real(
                "test", f"{one} or {other}, {'back' if turn else 'there'}", part("20news-bydate", classes=old),
                part("20news-bydate", classes=new), (1.0,) if (place, turn) == (0, 0) else (),
                extra=('kind = "text"', 'text = { stop_words = "english", min_df = 100, max_df = 0.5, fit_on = "both" }'),
            )
    for draw, target in enumerate([[1, 1], [1, 2], [1, 4], [1, 9], [4, 1], [9, 1]]):
        for separation in [1.0, 2.0]:
            generator = drawn("label-shift", 60 + draw, n_features=4, target_shares=target, separation=separation)
            problems.add("test", "generated", f"classes {target[0]} : {target[1]}, apart by {separation}",
                         generator, generator, sizes=(None, None))
    for draw, angle in enumerate([0, 10, 20, 30, 45, 60, 75, 90]):
        generator = drawn("subspace-shift", 80 + draw, angle=angle, separation=[2.0, 4.0][draw % 2])
        problems.add("test", "generated", f"subspace turned by {angle}°", generator, generator, sizes=(None, None))
    for draw, angle in enumerate([0, 10, 20, 30, 40, 50, 60, 75, 90, 110, 130, 180]):
        generator = drawn("rotated-gaussians", 100 + draw, n_classes=[2, 3, 4][draw % 3], radius=2.0, angle=angle)
        problems.add("test", "generated", f"Gaussians turned by {angle}°", generator, generator, sizes=(None, None))


HEAD = """\
# When to transfer, measured: the verdict of a gate from the labels at hand, against the truth on held-out labels. Written by
# `transfer-or-not/problems.py`, which tells what the problems are; the sets for tuning and those for testing are kept apart.
schema = 1
name = "transfer-or-not"
metrics = ["accuracy"]
"""

METHODS = """\
use = "source-only"
use = "pooled"
use = "aux" target_weight = 10.0
use = "tradaboost" n_rounds = 10
use = "kmm" tolerance = 1e-5
use = "coral"
use = "linear-transport"
use = "logistic-ratio"
use = "feda"
"""


def methods():
    for line in METHODS.splitlines():
        keys = line.replace('" ', '"\n')
        yield f'[[method]]\n{keys}\nlearner = {{ use = "logistic" }}'
        name = line.split('"')[1]
        yield f'[[method]]\n{keys}\nname = "{name}, gated"\ngate = true\nlearner = {{ use = "logistic" }}'


if __name__ == "__main__":
    problems = Problems()
    tuning(problems)
    testing(problems)
    text = "\n\n".join([HEAD.strip(), *problems.tasks, *methods()]) + "\n"
    Path(__file__).with_name("..").joinpath("transfer-or-not.toml").resolve().write_text(text)
    print(problems.counts, sum(problems.counts.values()))
