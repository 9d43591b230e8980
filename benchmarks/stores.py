"""How long ``ablate status`` and ``ablate report`` take, whole processes, as stores grow."""

import argparse
import itertools
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
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
COMMANDS = {
    "ablate --help": ["--help"],
    "ablate status": ["status"],
    "ablate status --format json": ["status", "--format", "json"],
    "ablate report --grid table4": ["report", "--grid", "table4"],
    "ablate report --grid table4 --format json": ["report", "--grid", "table4", "--format", "json"],
    "ablate report --grid table4 --format html": ["report", "--grid", "table4", "--format", "html"],
}


def fill(root: Path, count: int) -> None:
    """Makes a store of finished runs of Table IV, a tenth of them for each row."""
    catalogue, store, chance = Catalogue(), Store(root), random.Random(0)
    data = DataIdentity(label="no data", digest="0" * 64, train=159, validation=69)
    context = Context(protocol=catalogue.protocol("demo"), data=data, weights=NANO_WEIGHTS)
    runs = sweep_runs(
        catalogue.rows("table4", context.protocol.backbone), context, range(count // 10)
    )
    plan = build_plan(catalogue.sweep("table4"), context, runs, store)
    create_run_folders(plan, store)
    # Many results wait for the disk together.
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: finish(run.folder, chance), plan.runs))


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
            confusion=asdict(pixels),
            parameters=PARAMETERS,
            weights_sha256="0" * 64,
            machine=MACHINE,
            finished=1.7e9 + 60,
            train_s=12.5,
        )
    )


def seconds(command: list[str], folder: Path) -> float:
    """Wall time of one whole process in the folder that the store lies in."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "ablate", *command],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def main() -> None:
    """Fills the stores, measures all commands on all of them in turn, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 1_000, 10_000])
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    if any(count % 10 for count in arguments.runs):
        parser.error("the sweep has ten rows: --runs takes multiples of ten")
    times: dict[tuple[str, int], list[float]] = {
        each: [] for each in itertools.product(COMMANDS, arguments.runs)
    }
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as root:
        for count in arguments.runs:
            fill(Path(root, str(count), "ablate-store"), count)
        for repetition in range(arguments.repetitions + 1):
            for name, count in times:
                folder = Path(root, str(count))
                spent = seconds(COMMANDS[name], folder)
                if repetition:  # the first round warms the disk's cache
                    times[name, count].append(spent)
    sys.stdout.write(
        f"{len(os.sched_getaffinity(0))} cores, load {load:.1f} at the start, "
        f"{os.getloadavg()[0]:.1f} at the end. Medians, ranges in brackets.\n\n"
        f"| command | {' | '.join(f'{count:,} runs' for count in arguments.runs)} |\n"
        f"| --- |{' --: |' * len(arguments.runs)}\n"
    )
    for name in COMMANDS:
        cells = []
        for count in arguments.runs:
            spent = times[name, count]
            cells.append(f"{statistics.median(spent):.2f} s ({min(spent):.2f}…{max(spent):.2f})")
        sys.stdout.write(f"| `{name}` | {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
