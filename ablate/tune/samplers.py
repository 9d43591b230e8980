"""Where settings come from: samplers by name, each a function of seed and history alone.

A sampler is asked on a study in memory that is built from the trials so far. So the next setting
depends on the record and on nothing else: a tuning that was killed goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ablate.errors import BadInput
from ablate.runs import SamplerRecord, Setting
from ablate.spec import digest_of
from ablate.tune.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

SEED_LIMIT = 2**32


@dataclass(frozen=True)
class Attempt:
    """A trial that has ended.

    Attributes:
        setting: What was tried.
        value: The score, a fraction, higher is better; None: the run failed or diverged.
    """

    setting: Setting
    value: float | None


@dataclass(frozen=True)
class Sampler:
    """A sampler of Optuna's, with every option that decides its settings.

    Attributes:
        name: As on the command line.
        library_name: The name of its class.
        options: What it is constructed with, besides the seed. All are written out: the defaults of
            the library change between versions.
        is_shared: Whether all rows take one sequence of settings.
        is_adaptive: Whether a setting depends on what came of earlier ones.
        summary: What it does, for lists.
    """

    name: str
    library_name: str
    options: Mapping[str, Any] = field(hash=False)
    is_shared: bool
    is_adaptive: bool
    summary: str

    def record(self, seed: int) -> SamplerRecord:
        """What is kept of it in the store."""
        return SamplerRecord(
            name=self.name,
            options={"class": self.library_name, **self.options},
            seed=seed,
            library=f"optuna {version('optuna')}",
        )

    def sequence(self, space: Space, seed: int, count: int) -> list[Setting]:
        """The first settings of the sequence that all rows share; it depends on no outcome.

        The n-th is the same whatever the count.
        """
        from ablate.tune.proposals import sequence

        return sequence(self._make(seed), space, count)

    def row_sequence(self, space: Space, seed: int, row: str, count: int) -> list[Setting]:
        """The first settings of one row's own sequence, which depends on no outcome."""
        return [self._draw(space, seed, row, number) for number in range(1, count + 1)]

    def following(self, space: Space, seed: int, row: str, attempts: Sequence[Attempt]) -> Setting:
        """The next setting of one row.

        Args:
            space: The fields of this row.
            seed: The seed of the tuning.
            row: The row, which has a sequence of its own.
            attempts: All its earlier trials, by number.
        """
        return self._draw(space, seed, row, len(attempts) + 1, attempts)

    def _draw(
        self, space: Space, seed: int, row: str, number: int, attempts: Sequence[Attempt] = ()
    ) -> Setting:
        from ablate.tune.proposals import following

        # From row and number, so that a restart proposes what the first start would have.
        own = int(digest_of([seed, row, number])[:8], 16)
        return following(self._make(own), space, attempts)

    def _make(self, seed: int) -> BaseSampler:
        import warnings

        from optuna import samplers
        from optuna.exceptions import ExperimentalWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            made: BaseSampler = getattr(samplers, self.library_name)(seed=seed, **self.options)
        return made


SAMPLERS: dict[str, Sampler] = {
    sampler.name: sampler
    for sampler in (
        Sampler(
            name="qmc",
            library_name="QMCSampler",
            options={"qmc_type": "sobol", "scramble": True},
            is_shared=True,
            is_adaptive=False,
            summary="one quasi-random sequence shared by all rows",
        ),
        Sampler(
            name="random",
            library_name="RandomSampler",
            options={},
            is_shared=False,
            is_adaptive=False,
            summary="independent random settings for each row",
        ),
        Sampler(
            name="tpe",
            library_name="TPESampler",
            options={
                "n_startup_trials": 5,
                "n_ei_candidates": 24,
                "multivariate": True,
                "group": False,
                "constant_liar": False,
            },
            is_shared=False,
            is_adaptive=True,
            summary="tree-structured Parzen estimator, row by row, five random settings first",
        ),
        # CMA-ES needs a package of its own, and state besides the history; a grid over ranges is
        # not defined, and Optuna's may give a cell twice.
        Sampler(
            name="gp",
            library_name="GPSampler",
            options={"n_startup_trials": 5, "deterministic_objective": False},
            is_shared=False,
            is_adaptive=True,
            summary="Gaussian process, row by row, five random settings first",
        ),
    )
}


def find_sampler(name: str, seed: int) -> Sampler:
    """The sampler of that name.

    Raises:
        BadInput: If there is none, or the seed is out of range.
    """
    if name not in SAMPLERS:
        raise BadInput(f"there is no sampler {name!r}", f"there are {', '.join(SAMPLERS)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < SEED_LIMIT:
        raise BadInput(
            f"the sampler's seed {str(seed)[:20]} is out of range",
            f"give a whole number from 0 to {SEED_LIMIT - 1}",
        )
    return SAMPLERS[name]
