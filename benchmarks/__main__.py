"""Every benchmark in turn, as one Markdown document: the machine, then each script and its table.

``python benchmarks`` runs them all; each also runs by itself. What a script says besides its table
goes to the standard error. If one fails, the document says so, the others run, and the exit status
is 1. What only a GPU shows is ``python -m benchmarks.gpu``.
"""

import argparse
import ast
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ablate.plan import provenance

HERE = Path(__file__).parent
PACKAGES = ("mlflow", "transformers", "optuna", "hydra-core", "ray")


@dataclass(frozen=True)
class Benchmark:
    """A script's standard run.

    Attributes:
        script: Its file's name.
        arguments: What differs from its own defaults.
    """

    script: str
    arguments: str = ""


# The order of the document: the machine's limit, what trains, what surrounds training.
STANDARD = (
    Benchmark("limit.py"),
    Benchmark("attention.py"),
    # With SAM's own attention this one fits into few machines.
    Benchmark("attention.py", "--blocks --encoders vit_l --codes ablate --rounds 1"),
    Benchmark("adapters.py"),
    Benchmark("precision.py"),
    Benchmark("input.py"),
    Benchmark("sweep.py"),
    Benchmark("orchestration.py"),
    Benchmark("startup.py"),
    Benchmark("stores.py"),
)


# The machine ----------------------------------------------------------------------------------


def machine() -> str:
    """What the numbers depend on; nothing that names a person, a host or a folder."""
    origin = provenance()
    facts = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.0f} GB",
        "GPU": _gpu(),
        "system": platform.system(),
        "Python": platform.python_version(),
        "torch": f"{torch.__version__}, {torch.get_num_threads()} threads",
        **{name: _version(name) for name in PACKAGES},
        "commit": origin.commit or f"ablate {origin.ablate}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "load at the start": f"{os.getloadavg()[0]:.1f}",
    }
    lines = [f"| {name} | {value} |" for name, value in facts.items()]
    return "\n".join(["| | |", "| --- | --- |", *lines])


def _processor() -> str:
    """The processor's name as the system gives it, and which bfloat16 it computes by itself."""
    known = Path("/proc/cpuinfo")
    text = known.read_text() if known.exists() else ""
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    half = [flag for flag in ("avx512_bf16", "amx_bf16") if re.search(rf"\b{flag}\b", text)]
    return f"{name[1] if name else platform.machine()}; {' and '.join(half) or 'no bfloat16'}"


def _gpu() -> str:
    if not torch.cuda.is_available():
        return "none"
    cards = [torch.cuda.get_device_properties(at) for at in range(torch.cuda.device_count())]
    return "; ".join(f"{card.name}, {card.total_memory / 1e9:.0f} GB" for card in cards)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


# The document ---------------------------------------------------------------------------------


def section(benchmark: Benchmark) -> tuple[str, bool]:
    """Runs a script; its section of the document, and whether all went well."""
    script = HERE / benchmark.script
    words = shlex.split(benchmark.arguments)
    command = shlex.join(["python", f"{HERE.name}/{script.name}", *words])
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(script), *words], cwd=HERE.parent, stdout=subprocess.PIPE, text=True
    )
    minutes = (time.perf_counter() - started) / 60
    parts = [f"## {script.stem}"]
    if script.exists():
        parts.append(ast.get_docstring(ast.parse(script.read_text())) or "")
    parts += [f"```\n{command}\n```", done.stdout.strip()]
    if done.returncode:
        parts.append(f"**Failed** with exit status {done.returncode}.")
    parts.append(f"Took {minutes:.1f} min.")
    return "\n\n".join(part for part in parts if part), done.returncode == 0


def write(benchmarks: Sequence[Benchmark], facts: str, emit: Callable[[str], None]) -> bool:
    """Writes the document, section by section; returns whether all went well."""
    emit(f"# Benchmarks\n\n{facts}\n")
    started, well = time.perf_counter(), True
    for benchmark in benchmarks:
        text, good = section(benchmark)
        emit(f"\n{text}\n")
        well = well and good
    emit(f"\nAll took {(time.perf_counter() - started) / 60:.0f} min.\n")
    return well


def main() -> int:
    """Reads the command line; prints the document, and writes it with ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", metavar="NAME", help="also write it to benchmarks/results/NAME.md")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=[Path(each.script).stem for each in STANDARD],
        help="these scripts alone",
    )
    arguments = parser.parse_args()
    if arguments.out is not None and not re.fullmatch(r"\w[\w.-]*", arguments.out):
        parser.error(
            f"--out takes a name of letters, digits, '.', '_' and '-', not {arguments.out!r}"
        )
    chosen = [
        each
        for each in STANDARD
        if arguments.only is None or Path(each.script).stem in arguments.only
    ]
    # Before the document is begun: in place of an older one it would count as a change.
    facts = machine()
    kept = HERE / "results" / f"{arguments.out}.md" if arguments.out else None
    if kept:
        kept.parent.mkdir(exist_ok=True)
        kept.write_text("")

    def emit(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
        if kept:
            with kept.open("a") as document:
                document.write(text)

    return 0 if write(chosen, facts, emit) else 1


if __name__ == "__main__":
    sys.exit(main())
