"""What a run costs besides its training, as sweeps grow, against other tools that start things.

Our runs do all that real ones do but train: they are planned, get their folders, are taken to
workers by an executor while the display shows them, are claimed there, read their spec and publish
a result; at the end every state is read. Imports, Ray's start and the making of an MLflow database
are not counted; worker processes and the mirror's process are. A tool that is not
installed is left out, and one that would need longer than the limit stops at a smaller sweep; ours
never does. What takes long is repeated less often.
"""

import argparse
import importlib.util
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from _contenders import CONTENDERS, OURS, REFERENCE, Parts

COLUMNS = ("plan", "folders", "work", "mirror's rest", "end")
_QUIET = {
    "HYDRA_FULL_ERROR": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "OMP_NUM_THREADS": "1",
}


class Failed(Exception):
    """A contender ended with an error."""


@dataclass
class Cell:
    """What is known of one contender at one size.

    Attributes:
        spent: Seconds by part, of each repetition.
        missing: Why there are none, or fewer than requested.
    """

    spent: list[Parts] = field(default_factory=list)
    missing: str = ""

    def median_s(self) -> float:
        """Of a whole sweep."""
        return statistics.median(sum(parts.values()) for parts in self.spent)


Table = dict[tuple[str, int], Cell]


# Measuring ------------------------------------------------------------------------------------


def measured(name: str, count: int, limit_s: float | None) -> Parts:
    """Seconds by part, in a fresh process and a fresh folder.

    Raises:
        TimeoutError: If it took longer than the limit.
        Failed: If it ended with an error.
    """
    # In the system's own folder for such: a socket's path must be short, and Ray's are long.
    with tempfile.TemporaryDirectory(prefix="orch-", ignore_cleanup_errors=True) as folder:
        command = [sys.executable, __file__, "--one", name, str(count), folder]
        log = Path(folder, "log")
        with log.open("w") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                env=os.environ | _QUIET,
                cwd=folder,
                start_new_session=True,
            )
            try:
                code = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                raise TimeoutError from None
            finally:
                _end(process)
        if code:
            raise Failed(log.read_text()[-2000:])
        return json.loads(Path(folder, "answer.json").read_text())


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and all that it started, by SIGINT first."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def measure_all(
    names: Sequence[str], counts: Sequence[int], repetitions: int, limit_s: float
) -> Table:
    """All contenders in turn, again and again, from few runs to many."""
    table: Table = {(name, count): Cell() for count in counts for name in names}
    for index, count in enumerate(counts):
        for name in names:
            expected_s = _expected_s([(each, table[name, each]) for each in counts[:index]], count)
            if expected_s > limit_s and not name.startswith(OURS):
                table[name, count].missing = "not run"
        for _ in range(repetitions):
            for name in names:
                _measure(name, count, limit_s, table[name, count])
    return table


def _measure(name: str, count: int, limit_s: float, cell: Cell) -> None:
    """One repetition, unless those before have shown that there is no point or no time."""
    if cell.missing or (cell.spent and (len(cell.spent) + 1) * cell.median_s() > limit_s):
        return
    try:
        limit = None if name.startswith(OURS) else limit_s
        cell.spent.append(measured(name, count, limit))
    except TimeoutError:
        cell.missing = "stopped"
    except Failed as error:
        cell.missing = "failed"
        sys.stderr.write(f"{name}, {count} runs:\n{error}\n")
    shown = cell.missing or f"{sum(cell.spent[-1].values()):.2f} s"
    sys.stderr.write(f"{name}, {count} runs: {shown}\n")


def _expected_s(smaller: Sequence[tuple[int, Cell]], count: int) -> float:
    """What ``count`` runs will take, judged by the two largest sweeps before; at least."""
    if not smaller:
        return 0.0
    if any(cell.missing for _, cell in smaller):
        return float("inf")
    (fewest, first), (most, last) = smaller[-2:] if len(smaller) > 1 else smaller * 2
    if fewest == most:
        # Of the first sweep, more than half may be what is there only once.
        return last.median_s() / most * count / 3
    slope = (last.median_s() - first.median_s()) / (most - fewest)
    return last.median_s() + slope * (count - most)


# Printing -------------------------------------------------------------------------------------


def print_table(names: Sequence[str], counts: Sequence[int], table: Table) -> None:
    """Milliseconds for each run, and how many times ours."""
    head = " | ".join(f"{count:,} runs" for count in counts)
    lines = [f"| ms for each run | {head} |", "| --- |" + " --: |" * len(counts)]
    for name in names:
        cells = [
            _cell(table[name, count], table.get((REFERENCE, count)), count) for count in counts
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    sys.stdout.write("\n".join(lines) + "\n")


def _cell(cell: Cell, reference: Cell | None, count: int) -> str:
    if cell.missing:
        return cell.missing
    each = [1000 * sum(parts.values()) / count for parts in cell.spent]
    text = f"{statistics.median(each):.2f} ({min(each):.2f}…{max(each):.2f})"
    if reference is None or not reference.spent:
        return text
    ratio = statistics.median(
        sum(a.values()) / sum(b.values()) for a, b in zip(cell.spent, reference.spent, strict=False)
    )
    return f"{text} · {ratio:.2f}×"


def print_parts(names: Sequence[str], counts: Sequence[int], table: Table) -> None:
    """Where the time of our own contenders goes."""
    lines = [
        f"| ms for each run | runs | {' | '.join(COLUMNS)} |",
        "| --- | --: |" + " --: |" * len(COLUMNS),
    ]
    for name in names:
        for count in counts:
            spent = table[name, count].spent
            if not table[name, count].missing:
                cells = [
                    f"{1000 * statistics.median(parts[column] for parts in spent) / count:.3f}"
                    if column in spent[0]
                    else ""
                    for column in COLUMNS
                ]
                lines.append(f"| {name} | {count:,} | {' | '.join(cells)} |")
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> int:
    """Reads the command line; measures and prints, or is one measurement itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 100, 1_000, 10_000])
    parser.add_argument("--repetitions", type=int, default=2)
    parser.add_argument(
        "--limit-s",
        type=float,
        default=30.0,
        help="leave out other tools' sweeps that take longer, repeat none for longer",
    )
    parser.add_argument("--only", default="", help="contenders whose name begins so")
    parser.add_argument(
        "--one", nargs=3, metavar=("NAME", "RUNS", "FOLDER"), help=argparse.SUPPRESS
    )
    arguments = parser.parse_args()
    if arguments.one:
        name, count, folder = arguments.one
        parts = CONTENDERS[name][0](int(count), Path(folder))
        Path(folder, "answer.json").write_text(json.dumps(parts))
        return 0
    if any(count % 10 for count in arguments.runs):
        parser.error("the sweep has ten rows: --runs takes multiples of ten")
    chosen = [name for name in CONTENDERS if name.startswith(arguments.only)]
    names = [name for name in chosen if importlib.util.find_spec(CONTENDERS[name][1])]
    counts = sorted(arguments.runs)
    load = os.getloadavg()[0]
    table = measure_all(names, counts, arguments.repetitions, arguments.limit_s)
    sys.stdout.write(
        f"{len(os.sched_getaffinity(0))} cores, load {load:.1f} at the start, "
        f"{os.getloadavg()[0]:.1f} at the end; at most {arguments.repetitions} repetitions. In "
        f"brackets the range, then how many times {REFERENCE}. Stopped: it took longer than "
        f"{arguments.limit_s:.0f} s. Not run: by what smaller sweeps took, it would have.\n\n"
    )
    print_table(names, counts, table)
    if own := [name for name in names if name.startswith(OURS)]:
        sys.stdout.write("\n")
        print_parts(own, counts, table)
    if missing := [name for name in chosen if name not in names]:
        sys.stdout.write(f"\nNot installed: {'; '.join(missing)}.\n")
    return int(any(cell.missing == "failed" for cell in table.values()))


if __name__ == "__main__":
    sys.exit(main())
