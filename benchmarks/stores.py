"""What planning, claiming, showing, reporting and mirroring cost, as stores grow.

Commands are whole processes. The runs are made up: they have all the files of a finished run but
weights, panels and checkpoints, and nothing was trained. Planned and claimed are runs of a store
that is still empty. What would take longer than the limit, judged by the smaller stores, is left
out.
"""

import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ablate.metrics import Confusion, scores
from ablate.plan import build_plan, create_run_folders, sweep_runs
from ablate.registry import Catalogue
from ablate.runs import Event, Machine, Parameters, Result, RunFolder, Store
from ablate.spec import NANO_WEIGHTS, Context, DataIdentity

EPOCHS = 14
IMAGES = [f"scene-{number:04d}" for number in range(69)]
MACHINE = Machine(
    device="cpu", device_name="A processor", threads=1, precision="float32", torch="2.10.0"
)
PARAMETERS = Parameters(total=312_459_684, trainable=4_181_412, adapter=123_072, sites=24)
GRID = ["--grid", "table4"]
COMMANDS = {
    "ablate plan --grid table4 --seeds 0,1,…": ["plan", *GRID, "--store", "empty", "--seeds"],
    "ablate status": ["status"],
    "ablate status --format json": ["status", "--format", "json"],
    "ablate report --grid table4, the first": ["report", *GRID],
    "ablate report --grid table4": ["report", *GRID],
    "ablate report --grid table4 --format json": ["report", *GRID, "--format", "json"],
    "ablate report --grid table4 --format html": ["report", *GRID, "--format", "html"],
    "ablate sync": ["sync"],
}
# What a second time would find done.
ONCE = ("ablate report --grid table4, the first", "ablate sync")
STEPS = ("plan", "folders", "claim")


@dataclass(frozen=True)
class Cost:
    """What a process has cost.

    Attributes:
        wall_s: From start to end.
        cpu_s: Of the processors.
        peak_mb: Memory at its largest.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


def fill(root: Path, count: int) -> dict[str, float]:
    """Makes a store of finished runs of Table IV, a tenth of them for each row.

    Returns:
        Seconds of the processors to plan them, to make their folders and to claim them, which other
        sweeps do one by one as their workers come to them.
    """
    catalogue, store, chance = Catalogue(), Store(root), random.Random(0)
    data = DataIdentity(label="no data", digest="0" * 64, train=159, validation=69)
    context = Context(protocol=catalogue.protocol("demo"), data=data, weights=NANO_WEIGHTS)
    clocks = [time.process_time()]
    runs = sweep_runs(
        catalogue.rows("table4", context.protocol.backbone), context, range(count // 10)
    )
    plan = build_plan(catalogue.sweep("table4"), context, runs, store)
    clocks.append(time.process_time())
    create_run_folders(plan, store)
    clocks.append(time.process_time())
    for run in plan.runs:
        with run.folder.claim():
            pass
    clocks.append(time.process_time())
    # Many results wait for the disk together.
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: finish(run.folder, chance), plan.runs))
    spent = [after - before for before, after in itertools.pairwise(clocks)]
    return dict(zip(STEPS, spent, strict=True))


def finish(folder: RunFolder, chance: random.Random) -> None:
    """Leaves what a finished run leaves and these commands could read."""
    correct = [8_000 + chance.randrange(400) for _ in IMAGES]
    folder.write_confusions(IMAGES, [(tp, 1_100, 1_000, 89_900) for tp in correct])
    pixels = Confusion(**folder.confusions().pooled)
    metrics = scores(pixels) | {"val_loss": 0.1}
    lines = [
        Event(epoch=epoch, step=20 * epoch, time=1.7e9 + epoch, metrics=metrics)
        for epoch in range(1, EPOCHS + 1)
    ]
    (folder.path / "claim.lock").touch()
    events = "".join(line.model_dump_json() + "\n" for line in lines)
    (folder.path / "events.jsonl").write_text(events)
    folder.publish_result(
        Result(
            key=folder.key,
            epoch=7,
            epochs=EPOCHS,
            steps=20 * EPOCHS,
            metrics=metrics,
            confusion=pixels.cells,
            parameters=PARAMETERS,
            weights_sha256="0" * 64,
            machine=MACHINE,
            finished=1.7e9 + 60,
            train_s=12.5,
        )
    )


def cost_of(command: Sequence[str], folder: Path) -> Cost:
    """What one whole process costs in the folder that the store lies in.

    Raises:
        subprocess.CalledProcessError: If it fails.
    """
    started = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-m", "ablate", *command], cwd=folder, **quiet)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    wall_s = time.perf_counter() - started
    return Cost(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)


def measure(
    folders: dict[int, Path], repetitions: int, limit_s: float
) -> dict[tuple[str, int], list[Cost]]:
    """All commands on all stores in turn, from few runs to many."""
    costs: dict[tuple[str, int], list[Cost]] = {
        (name, count): [] for count in folders for name in COMMANDS
    }
    for repetition, (count, name) in itertools.product(
        range(repetitions), itertools.product(folders, COMMANDS)
    ):
        smaller = [costs[name, each][0].wall_s / each for each in folders if costs[name, each]]
        if (repetition and name in ONCE) or (smaller and smaller[-1] * count > limit_s):
            continue
        words = COMMANDS[name]
        if words[-1] == "--seeds":
            words = [*words, ",".join(map(str, range(count // 10)))]
        costs[name, count].append(cost_of(words, folders[count]))
        sys.stderr.write(f"{name}, {count} runs: {costs[name, count][-1]}\n")
    return costs


def cell(costs: Sequence[Cost]) -> str:
    """Seconds, their range, and the processors' and memory's part."""
    if not costs:
        return "not run"
    wall, cpu = [each.wall_s for each in costs], statistics.median(each.cpu_s for each in costs)
    span = f" ({min(wall):.2f}…{max(wall):.2f})" if len(wall) > 1 else ""
    peak = max(each.peak_mb for each in costs)
    return f"{statistics.median(wall):.2f} s{span}; {cpu:.2f} s, {peak:,.0f} MB"


def main() -> None:
    """Fills the stores, measures all commands on all of them in turn, and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 1_000, 10_000])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument(
        "--limit-s", type=float, default=300.0, help="leave out commands that would take longer"
    )
    parser.add_argument(
        "--fill", nargs=2, metavar=("STORE", "RUNS"), help="only make a store; say what it cost"
    )
    arguments = parser.parse_args()
    if arguments.fill:
        spent = fill(Path(arguments.fill[0]), int(arguments.fill[1]))
        sys.stdout.write(json.dumps(spent) + "\n")
        return
    if any(count % 10 for count in arguments.runs):
        parser.error("the sweep has ten rows: --runs takes multiples of ten")
    load = os.getloadavg()[0]
    steps: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as root:
        folders = {count: Path(root, str(count)) for count in sorted(arguments.runs)}
        for count, folder in folders.items():
            words = ["--fill", str(folder / "ablate-store"), str(count)]
            done = subprocess.run([sys.executable, __file__, *words], check=True, stdout=-1)
            steps[count] = json.loads(done.stdout)
        costs = measure(folders, arguments.repetitions, arguments.limit_s)
    head = " | ".join(f"{count:,} runs" for count in folders)
    lines = [
        f"{len(os.sched_getaffinity(0))} cores, load {load:.1f} at the start, "
        f"{os.getloadavg()[0]:.1f} at the end. Medians from start to end, ranges in brackets; "
        "then the processors' time and the largest memory. The first report fills the cache of "
        "decoded pixels.",
        "",
        f"| command | {head} |",
        "| --- |" + " --: |" * len(folders),
    ]
    for name in COMMANDS:
        lines.append(f"| `{name}` | {' | '.join(cell(costs[name, each]) for each in folders)} |")
    lines += ["", f"| processors' time of a run | {head} |", "| --- |" + " --: |" * len(folders)]
    for step in STEPS:
        each = [f"{1000 * steps[count][step] / count:.2f} ms" for count in folders]
        lines.append(f"| {step} | {' | '.join(each)} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
