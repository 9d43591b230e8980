"""How long until the command line answers, against the bare import of its libraries."""

import compileall
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ablate
from ablate.plan import create_run_folders
from ablate.runs import Store
from ablate.study import Study

REPETITIONS = 11
REFERENCE = "import pydantic, typer, rich"
# Typer builds options, and rich a table, with modules that their bare import does not load.
SMALLEST = """
import typer
from rich.console import Console
from rich.table import Table

def main(option: int = 1) -> None:
    Console().print(Table("column"))

typer.run(main)
"""
PYTHON = [sys.executable, "-c"]
ABLATE = [sys.executable, "-m", "ablate"]
STORE = ["--store", "begun"]
COMMANDS = {
    REFERENCE: [*PYTHON, REFERENCE],
    "a command of typer that prints a table": [*PYTHON, SMALLEST],
    "ablate --help": [*ABLATE, "--help"],
    "ablate plan --help": [*ABLATE, "plan", "--help"],
    "ablate variants list": [*ABLATE, "variants", "list"],
    "ablate status": [*ABLATE, "status", *STORE],
    "ablate report --grid table4": [*ABLATE, "report", "--grid", "table4", *STORE],
    "ablate plan --grid table4": [*ABLATE, "plan", "--grid", "table4"],
}


def begin(store: Path) -> None:
    """The demo's sweep as it is before its first run is trained."""
    create_run_folders(Study("table4", store=store).plan().plan, Store(store))


def seconds(command: list[str], folder: str) -> float:
    """Wall time of one whole process."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Measures all commands in turn, again and again, and prints the table."""
    # Libraries are compiled when they are installed; an editable install may be told to keep
    # nothing compiled, and would be compared with them while it compiles itself.
    compileall.compile_dir(Path(ablate.__file__).parent, quiet=1)
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        begin(Path(folder, "begun"))
        for repetition in range(REPETITIONS + 1):
            for name, command in COMMANDS.items():
                spent = seconds(command, folder)
                if repetition:  # the first round warms the disk's cache
                    times[name].append(spent)
    lines = ["| command | median | range | ratio |", "| --- | --: | --: | --: |"]
    for name, spent in times.items():
        ratio = statistics.median(a / b for a, b in zip(spent, times[REFERENCE], strict=True))
        lines.append(
            f"| `{name}` | {statistics.median(spent):.3f} s "
            f"| {min(spent):.3f}…{max(spent):.3f} s | {ratio:.2f} |"
        )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
