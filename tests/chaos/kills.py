"""The whole process group of a sweep is killed again and again; each sweep ends all the same."""

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import comparison
from .phases import PHASES, Phase, seen
from .session import Session, complete, run_words, session


@dataclass
class Figures:
    """What came of the kills.

    Attributes:
        seed: What the instants were drawn with.
        kills: How many were survived.
        sweeps: How many sweeps were killed and ended.
        by_phase: Where the sweeps were when they were killed.
        runs: How many runs the sweeps had together.
        lost: How many of them have no result.
        trained_twice: How many of them were trained to the end more than once.
        differing: What differs from the undisturbed sweep: files, reports, MLflow's runs.
        repeated_steps: How many points of metrics MLflow was told more than once.
        leftovers: Temporary files, shared memory and processes that were left at the end.
        spent_s: How long all of it took.
    """

    seed: int
    kills: int = 0
    sweeps: int = 0
    by_phase: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    lost: int = 0
    trained_twice: int = 0
    differing: list[str] = field(default_factory=list)
    repeated_steps: int = 0
    leftovers: list[str] = field(default_factory=list)
    spent_s: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, repeated, changed or left."""
        counts = self.lost, self.trained_twice, self.repeated_steps
        return not (any(counts) or self.differing or self.leftovers)

    def values(self) -> dict[str, Any]:
        """As JSON has them."""
        return asdict(self) | {"by_phase": self._phases()}

    def text(self) -> str:
        """As people read them."""
        phases = ", ".join(f"{count} in {name}" for name, count in self._phases().items())
        lines = [
            f"kills survived: {self.kills} ({phases})",
            f"sweeps: {self.sweeps} of {self.runs} runs together, seed {self.seed}",
            f"runs lost: {self.lost}; trained twice: {self.trained_twice}",
            f"steps repeated in MLflow: {self.repeated_steps}",
            f"different from the undisturbed sweep: {_listed(self.differing)}",
            f"leftovers: {_listed(self.leftovers)}",
            f"time: {self.spent_s:.0f} s",
        ]
        return "\n".join(lines)

    def _phases(self) -> dict[str, int]:
        return {phase.name: self.by_phase[phase.name] for phase in PHASES}


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "nothing"


def torment(
    folder: Path,
    undisturbed: dict[str, object],
    *,
    seed: int,
    kills: int,
    say: Callable[[str], None] = lambda line: None,
) -> Figures:
    """Runs sweeps that are killed, until there were enough kills.

    Args:
        folder: An empty folder, for the stores.
        undisturbed: The outcome of the sweep that nothing has disturbed.
        seed: Decides the phases and the instants that are aimed at.
        kills: How many.
        say: Takes a line after each kill.

    Returns:
        What came of it; nothing is asserted.
    """
    began, figures, chance = time.monotonic(), Figures(seed), random.Random(seed)
    shared_memory = comparison.shared_memory()
    while figures.kills < kills:
        own = folder / f"sweep-{figures.sweeps + 1}"
        _kill_in_each_phase(own, chance, kills, figures, say)
        if not (problems := _end(own, undisturbed, figures)):
            shutil.rmtree(own)
        for problem in problems:
            say(problem)
    figures.leftovers += sorted(comparison.shared_memory() - shared_memory)
    figures.spent_s = time.monotonic() - began
    return figures


def _kill_in_each_phase(
    folder: Path, chance: random.Random, kills: int, figures: Figures, say: Callable[[str], None]
) -> None:
    """Starts one sweep once for each phase: in any order, but for the last phase."""
    *earlier, last = PHASES
    for phase in (*chance.sample(earlier, len(earlier)), last):
        if figures.kills == kills:
            return
        _forget_images(folder / "store")
        with session(folder) as started:
            _wait_for(started, folder / "store", phase, chance)
            if not started.has_ended:
                was_in = seen(started, folder / "store")
                started.kill()
                figures.kills += 1
                figures.by_phase[was_in] += 1
                say(f"kill {figures.kills}: aimed at {phase.name}, was in {was_in}")


def _forget_images(store: Path) -> None:
    """Removes the decoded images, which may be deleted at any time: they are decoded again."""
    for path in store.glob("cache/*px"):
        shutil.rmtree(path)


def _wait_for(started: Session, store: Path, phase: Phase, chance: random.Random) -> None:
    """Until the phase was reached, and then a part of it."""
    rest_s = chance.uniform(0, phase.longest_s)
    if started.until(lambda: phase.is_reached(started, store)):
        end = time.monotonic() + rest_s
        started.until(lambda: time.monotonic() >= end)


def _end(folder: Path, undisturbed: dict[str, object], figures: Figures) -> list[str]:
    """Completes a sweep and counts what is wrong with it.

    Returns:
        What differs, and what is left.
    """
    store = folder / "store"
    ended = complete(folder, *run_words())
    trained = comparison.trained(store)
    figures.sweeps += 1
    figures.runs += len(trained)
    figures.lost += sum(count == 0 for count in trained.values())
    figures.trained_twice += sum(count > 1 for count in trained.values())
    figures.repeated_steps += comparison.repeated_steps(store)
    left = comparison.leftovers(store) + ended.leftovers(0.0) + ended.temporary_files()
    differing = comparison.differences(store, undisturbed)
    figures.differing += [f"{folder.name}: {each}" for each in differing]
    figures.leftovers += [f"{folder.name}: {each}" for each in left]
    return differing + left
