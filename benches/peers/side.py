"""What the comparisons share: the processes of both sides, their turns, and how figures are shown."""

import datetime
import json
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np

# Lets threads that a library keeps spinning after its work go to sleep.
PAUSE = 0.1


class Side:
    """A process that serves runs."""

    def __init__(self, command, folder, name, threads):
        variables = ("OMP", "OPENBLAS", "MKL", "RAYON", "BLIS", "VECLIB")
        environment = dict(os.environ)
        environment |= {f"{variable}_NUM_THREADS": str(threads) for variable in variables}
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        self.name, self.folder = name, folder
        self.log = open(folder / f"{name}.log", "w")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment,
        )
        self.version = self.read()["ready"]

    def read(self):
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"it ended; see {self.log.name}"}
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer

    def ask(self, request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, as the missing answer tells
        return self.read()

    def run(self, settings):
        time.sleep(PAUSE)
        return self.ask({"run": settings})["seconds"]

    def outputs(self):
        prefix = self.folder / f"{self.name}-out-"
        for stale in self.folder.glob(f"{prefix.name}*"):
            stale.unlink()
        self.ask({"save": str(prefix)})
        return {
            path.stem.removeprefix(prefix.name): np.load(path)
            for path in self.folder.glob(f"{prefix.name}*.npy")
        }

    def peak_bytes(self):
        """The most memory it has held so far; none where the system does not say."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return None
        return next(
            1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")
        )

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()
        self.log.close()


def take_turns(ours, peers, runs):
    """What both give, run by run; the one that begins changes every round."""
    found = {ours: [], peers: []}
    for round_ in range(runs):
        for run in (ours, peers) if round_ % 2 == 0 else (peers, ours):
            found[run].append(run())
    return found[ours], found[peers]


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def shown(s, digits=4):
    return f"{s['median']:.{digits}g} ({s['low']:.{digits}g} to {s['high']:.{digits}g})"


def aligned(lines):
    """A table of text."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )


class Record:
    """What a comparison found. It is written after every row, so that a run that is broken off leaves what it has."""

    def __init__(self, arguments, shown_threads, prefix="", **settings):
        started = datetime.datetime.now(datetime.timezone.utc)
        load = os.getloadavg()[0]
        print(f"{platform.machine()}, {os.cpu_count()} processors, load {load:.1f}, {shown_threads} a side")
        print(f"median (smallest to largest) of {arguments.runs} runs", flush=True)
        if load > 0.5:
            print("something else is running: times are too long, ratios less certain", flush=True)
        self.rows, self.failed = [], []
        self.path = arguments.folder / f"{prefix}{started:%Y-%m-%dT%H%M%SZ}.json"
        self.content = {
            "started": started.isoformat(timespec="seconds"),
            "machine": {"arch": platform.machine(), "processors": os.cpu_count(), "load": load},
            "python": platform.python_version(),
            **settings,
            "runs": arguments.runs,
            "quick": arguments.quick,
            "rows": self.rows,
            "failed": self.failed,
        }

    def add(self, name, compare, show):
        """Compares, and shows the row or why there is none."""
        try:
            row = compare()
            self.rows.append(row)
            print(f"  {show(row)}", flush=True)
        except RuntimeError as error:
            self.failed.append(f"{name}: {error}")
            print(f"  {self.failed[-1]}", flush=True)
        self.path.write_text(json.dumps(self.content, indent=1, ensure_ascii=False) + "\n")
