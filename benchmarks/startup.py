"""How long until the command line answers, against the bare import of its libraries."""

import statistics
import subprocess
import sys
import tempfile
import time

REPETITIONS = 11
ABLATE = [sys.executable, "-m", "ablate"]
COMMANDS = {
    "import typer, rich": [sys.executable, "-c", "import typer, rich"],
    "ablate --help": [*ABLATE, "--help"],
    "ablate variants list": [*ABLATE, "variants", "list"],
    "ablate plan --grid table4": [*ABLATE, "plan", "--grid", "table4"],
}


def seconds(command: list[str], folder: str) -> float:
    """Wall time of one whole process."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measures all commands in turn, again and again, and prints the table."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for repetition in range(REPETITIONS + 1):
            for name, command in COMMANDS.items():
                spent = seconds(command, folder)
                if repetition:  # the first round warms the disk's cache
                    times[name].append(spent)
    reference = times["import typer, rich"]
    lines = ["| command | median | range | ratio |", "| --- | --: | --: | --: |"]
    for name, spent in times.items():
        ratio = statistics.median(a / b for a, b in zip(spent, reference, strict=True))
        lines.append(
            f"| `{name}` | {statistics.median(spent):.3f} s "
            f"| {min(spent):.3f}…{max(spent):.3f} s | {ratio:.2f} |"
        )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
