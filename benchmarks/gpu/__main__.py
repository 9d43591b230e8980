"""Everything that only a GPU shows, in at most nine minutes: ``python -m benchmarks.gpu``.

The most important comes first. Each part has a process of its own and a share of the time; one that
fails, hangs or runs out of memory loses only itself, and what it has measured until then is kept.
``benchmarks/results/NAME.md`` and ``NAME.jsonl`` grow with every row. ``--device cpu --tiny`` runs
all parts at tiny sizes, to try them; its numbers mean nothing.
"""

import argparse
import ast
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from json import JSONDecodeError, loads
from pathlib import Path
from types import FrameType
from typing import IO

from benchmarks.gpu.document import Document

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MINUTES = 9.0


@dataclass(frozen=True)
class Share:
    """A part's share of the time.

    Attributes:
        part: Its module.
        share_s: What it gets of nine minutes, besides what the parts before it leave.
        least_s: Below that it is not started.
    """

    part: str
    share_s: float
    least_s: float


PARTS = (
    Share("matmul", 25, 10),
    Share("attention", 130, 25),
    Share("steps", 100, 25),
    Share("cohort", 80, 30),
    Share("survives", 85, 30),
    Share("everything", 15, 10),
    Share("compiling", 75, 20),
    Share("curves", 20, 15),
)


def limits(parts: Sequence[Share], left_s: float) -> tuple[float, Sequence[Share]]:
    """How long the first part may take, and the parts that come after it.

    It gets all that is left but for the shares of those after it, which shrink with the whole.
    """
    scale = min(1.0, left_s / sum(each.share_s for each in parts))
    return left_s - scale * sum(each.share_s for each in parts[1:]), parts[1:]


def measure_all(document: Document, options: argparse.Namespace, ends: float) -> bool:
    """Runs the parts in turn; returns whether none of them has failed."""
    rest: Sequence[Share] = [
        each for each in PARTS if options.only is None or each.part in options.only
    ]
    well = True
    while rest:
        first = rest[0]
        limit_s, rest = limits(rest, ends - time.monotonic())
        source = (HERE / f"{first.part}.py").read_text()
        document.text(f"## {first.part}\n\n{ast.get_docstring(ast.parse(source))}")
        if limit_s < first.least_s and not options.tiny:
            left_s = max(limit_s, 0)
            document.text(f"**Skipped**: {left_s:.0f} s are left, it needs {first.least_s} s.")
            continue
        started = time.monotonic()
        words = ["--device", options.device, "--seconds", f"{limit_s:.0f}"]
        ending = measure(document, first.part, [*words, *["--tiny"] * options.tiny], limit_s)
        document.end_table()
        if ending:
            document.text(ending)
        document.text(f"Took {time.monotonic() - started:.0f} s of at most {limit_s:.0f}.")
        well = well and not ending
    return well


def measure(document: Document, part: str, words: list[str], limit_s: float) -> str:
    """Runs a part and writes down what it says; returns how it has failed, if it has."""
    with tempfile.TemporaryFile("w+") as log, started_part(part, words, log) as process:
        timer = threading.Timer(limit_s, end, [process])
        timer.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                try:
                    record = loads(line)
                except JSONDecodeError:
                    sys.stderr.write(line)
                    continue
                document.record(part, record)
            status = process.wait()
        finally:
            was_ended = timer.finished.is_set()
            timer.cancel()
        log.seek(0)
        said = log.read()
        sys.stderr.write(said)
        if was_ended or status == -signal.SIGALRM:
            return f"**Ended** after {limit_s:.0f} s; what is above was measured until then."
        last = said.strip().splitlines()[-1:] or [""]
        return f"**Failed** with exit status {status}: `{last[0]}`" if status else ""


@contextmanager
def started_part(part: str, words: list[str], log: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """A part's process; at the end it is gone, with all that it has started."""
    with subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.gpu.{part}", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Kills a process and those that it has started, as far as they are still there."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def facts() -> str:
    """The machine as a table. In another process: this one keeps the GPU's memory free."""
    code = "from benchmarks.__main__ import machine; print(machine())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    return done.stdout.strip() if done.returncode == 0 else "The machine could not be described."


def options_of(words: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line; one line says what is wrong with it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to try it; on any device")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for everything")
    parser.add_argument("--only", nargs="+", choices=[each.part for each in PARTS])
    parser.add_argument("--out", metavar="NAME", help="of the document; by default gpu, or tiny")
    parser.add_argument("--folder", type=Path, default=HERE.parent / "results")
    options = parser.parse_args(words)
    options.out = options.out or ("tiny" if options.tiny else "gpu")
    if not re.fullmatch(r"\w[\w.-]*", options.out):
        parser.error(f"--out takes letters, digits, '.', '_' and '-', not {options.out!r}")
    if not 0 < options.minutes <= 1440:
        parser.error(f"--minutes is above 0 and at most 1440, not {options.minutes:g}")
    if options.device == "cpu" and not options.tiny:
        parser.error("on the CPU only --tiny sizes end in time; give --device cpu --tiny")
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            parser.error("there is no GPU that PyTorch can use; --device cpu --tiny tries it all")
    return options


def main(words: Sequence[str] | None = None) -> int:
    """Measures; the exit status is 1 if a part has failed."""
    begun = time.monotonic()
    options = options_of(words)

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    # Before the document is begun: in place of an older one it would count as a change.
    machine = facts()
    document = Document(options.folder, options.out)
    try:
        document.text(f"# {'Tiny sizes' if options.tiny else 'GPU'}\n\n{machine}")
        well = measure_all(document, options, begun + 60 * options.minutes)
    except KeyboardInterrupt:
        document.end_table()
        document.text("**Stopped** by a signal.")
        return 130
    document.text(f"All took {(time.monotonic() - begun) / 60:.1f} min.")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
