"""What docs/transfer-or-not.md says beyond the tables of the report, from a finished run: needs Python alone.

    python3 figures.py ../../../target/experiments/transfer-or-not [tuning|test]
"""

import json
import sys
from itertools import groupby
from pathlib import Path
from statistics import NormalDist, mean

MARGIN = 0.01


def share(part, whole):
    return f"{100 * part / whole:.1f} % ({part} of {whole})" if whole else "none"


def area_under_curve(scores, losses):
    """How often a loss has the higher score, of all pairs of a loss and another decision; ties count half."""
    order = sorted(zip(scores, losses))
    below, concordant = 0, 0.0
    for _, equal in groupby(order, key=lambda pair: pair[0]):
        equal = [is_loss for _, is_loss in equal]
        hits = sum(equal)
        concordant += hits * (below + (len(equal) - hits) / 2)
        below += len(equal) - hits
    pairs = sum(losses) * below
    return concordant / pairs if pairs else float("nan")


def chance_of_loss(belief):
    if belief["deviation"] == 0.0:
        return float(belief["gain"] < -MARGIN)
    return NormalDist(belief["gain"], belief["deviation"]).cdf(-MARGIN)


class Decision:
    """A gate's, with the gain that its method has in the open."""

    def __init__(self, gated, free, baseline, groups):
        self.problem, self.method, self.groups = (gated["task"], gated["seed"]), free["method"], groups
        self.gate = gated["gate"]
        self.verdict = self.gate["verdict"]
        self.gain = free["metrics"]["accuracy"] - baseline["metrics"]["accuracy"]
        self.is_measured = self.gate["evidence"] is not None
        pairs = list(zip(free["outcomes"]["correct"], baseline["outcomes"]["correct"]))
        saved = [int(of_method) - int(of_baseline) for of_method, of_baseline in pairs]
        n = len(saved)
        variance = (sum(one * one for one in saved) / n - mean(saved) ** 2) / n
        # The 95 % interval of the gain on the scored rows does not reach 0.
        self.is_sure_gain = self.gain - 1.96 * variance**0.5 > 0.0

    @property
    def loses(self):
        return self.gain < -MARGIN

    @property
    def is_called(self):
        return self.verdict == "do-not-transfer"

    @property
    def is_open(self):
        return self.verdict == "transfer"


def read(folder):
    plan = json.loads((folder / "plan.json").read_text())
    groups = {task["name"]: task["group"] for task in plan["spec"]["task"]}
    records = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    key = lambda record, method: (record["task"], record["seed"], method)
    done = {key(record, record["method"]): record for record in records if record["status"] == "ok"}
    for gated in done.values():
        if not gated.get("gate"):
            continue
        name = gated["gate"]["baseline"]
        baseline = done.get(key(gated, f"{name} (logistic)")) or done.get(key(gated, name))
        free = done.get(key(gated, gated["method"].removesuffix(", gated")))
        if baseline and free:
            yield Decision(gated, free, baseline, groups[gated["task"]])


def problems(decisions):
    key = lambda one: one.problem
    return [list(of) for _, of in groupby(sorted(decisions, key=key), key=key)]


def advised(problem):
    """The gain of the method believed to gain most, of those with an open gate."""
    open_ones = [one for one in problem if one.is_open]
    return max(open_ones, key=lambda one: one.gate["belief"]["gain"]).gain if open_ones else 0.0


def tell(name, decisions):
    if not decisions:
        return
    losses = [one for one in decisions if one.loses]
    called = [one for one in decisions if one.is_called]
    right = [one for one in called if one.loses]
    even = [one for one in called if abs(one.gain) <= MARGIN]
    print(f"\n{name}: {len(decisions)} decisions, {len(losses)} losses")
    print("  precision", share(len(right), len(called)), "- without what is even", share(len(right), len(called) - len(even)))
    print("  recall", share(len(right), len(losses)))
    for low, high in [(MARGIN, 0.02), (0.02, 0.05), (0.05, 1.0)]:
        of_size = [one for one in losses if low < -one.gain <= high]
        hits = sum(one.is_called for one in of_size)
        print(f"    of losses of {100 * low:.0f} to {100 * high:.0f} points", share(hits, len(of_size)))
    print("  let through", share(sum(one.is_open and one.loses for one in decisions), len(decisions)))
    scores = [chance_of_loss(one.gate["belief"]) for one in decisions]
    print(f"  area under the curve of the chance of a loss {area_under_curve(scores, [one.loses for one in decisions]):.3f}")
    of_problems = problems(decisions)
    best = mean(max(0.0, *(one.gain for one in problem)) for problem in of_problems)
    sure = [max((one.gain for one in problem if one.is_sure_gain), default=0.0) for problem in of_problems]
    chosen = [advised(problem) for problem in of_problems]
    by_method = {}
    for one in decisions:
        by_method[one.method] = by_method.get(one.method, 0.0) + one.gain / len(of_problems)
    fixed, fixed_name = max([(0.0, "never"), *((gain, method) for method, gain in by_method.items())])
    print(f"  oracle {100 * best:+.2f} points, of sure gains alone {100 * mean(sure):+.2f} on", share(sum(gain > 0 for gain in sure), len(sure)))
    captured = f" ({100 * mean(chosen) / best:.0f} % of the oracle's)" if best else ""
    print(f"  advised {100 * mean(chosen):+.2f}{captured}, loses on", share(sum(gain < -MARGIN for gain in chosen), len(chosen)))
    print(f"  regret {100 * (best - mean(chosen)):.2f} beside {100 * (best - fixed):.2f} of the best fixed method ({fixed_name})")


def main(folder, *sides):
    decisions = list(read(Path(folder)))
    losses = [one for one in decisions if one.loses]
    natural = [one for one in losses if any("natural" in group for group in one.groups) and one.gain >= -0.15]
    print("natural losses of 1 to 15 points among all:", share(len(natural), len(losses)))
    for side in sides or ("tuning", "test"):
        of_side = [one for one in decisions if side in one.groups and one.is_measured]
        tell(f"{side}, with labels", of_side)
        few = [one for one in of_side if f"{side}, 5 a class" in one.groups]
        tell(f"{side}, 5 a class", few)
        tell(f"{side}, 5 a class, up to 15 rows", [one for one in few if one.gate["evidence"]["n_rows"] <= 15])
        tell(f"{side}, 5 a class, more than 15 rows", [one for one in few if one.gate["evidence"]["n_rows"] > 15])
        tell(f"{side}, more", [one for one in of_side if f"{side}, more" in one.groups])


if __name__ == "__main__":
    main(*sys.argv[1:])
