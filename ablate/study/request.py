"""What a user wants to run, as one value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.errors import BadInput
from ablate.plan import Retry
from ablate.spec import MAX_SPLITS

DEFAULT_EXECUTOR = "local"
DEFAULT_SAMPLER = "qmc"
DEFAULT_TRIALS = 16
_SEEDS = 2**32


@dataclass(frozen=True)
class Request:
    """A sweep, what it is run on, and how.

    Attributes:
        sweep: The sweep's name.
        protocol: The protocol's name; None: see ``ablate.study.protocols``.
        data: The data set's folder; None: not given.
        checkpoint: SAM's weights; None: not given.
        backbone_weights: Files of the weights of the CNN baselines' ResNets.
        variants: Only these rows; empty: all.
        seeds: The seeds; None: the sweep's own.
        splits: On how many splits each row is trained with each seed; None: the sweep's own number.
        overrides: ``KEY=VALUE`` for the protocol.
        store: The folder that holds the runs.
        devices: Where to train, one worker for each; empty: all GPUs, or else the CPU.
        executor: The executor's name.
        executor_settings: Its settings, by name.
        cohort_size: How many runs are trained together at most; None: all that can be.
        wait: Whether runs that another process trains are waited for, and taken over if it drops
            them.
        retry: Which runs that could not go on are tried again.
        keep_going: Whether the other runs go on after one has failed.
        detach: Whether jobs of a cluster are submitted and left to themselves.
        track: Whether the runs are mirrored into MLflow while they are trained.
        tracking_uri: MLflow's server; None: the database in the store.
    """

    sweep: str
    protocol: str | None
    data: Path | None
    checkpoint: Path | None
    backbone_weights: tuple[Path, ...]
    variants: tuple[str, ...]
    seeds: tuple[int, ...] | None
    splits: int | None
    overrides: tuple[str, ...]
    store: Path
    devices: tuple[str, ...]
    executor: str
    executor_settings: Mapping[str, Any]
    cohort_size: int | None
    wait: bool
    retry: Retry
    keep_going: bool
    detach: bool
    track: bool
    tracking_uri: str | None


def checked_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    """The seeds as a tuple.

    Raises:
        BadInput: If there is none, one is not below 2**32, or one appears twice.
    """
    if not seeds:
        raise BadInput("there are no seeds", "give at least one, such as 0")
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise BadInput(f"seed {seed!r} is not a whole number", "give seeds such as 0 and 1")
        if not 0 <= seed < _SEEDS:
            raise BadInput(
                f"a seed is {'negative' if seed < 0 else 'too large'}",
                f"give whole numbers from 0 to {_SEEDS - 1}",
            )
    if len(set(seeds)) != len(seeds):
        twice = next(seed for seed in seeds if list(seeds).count(seed) > 1)
        raise BadInput(f"seed {twice} appears twice", "list each once")
    return tuple(seeds)


def checked_splits(splits: int) -> int:
    """The number of splits.

    Raises:
        BadInput: If it is not a whole number from 1 to MAX_SPLITS.
    """
    if isinstance(splits, bool) or not isinstance(splits, int) or not 1 <= splits <= MAX_SPLITS:
        raise BadInput(
            f"{str(splits)[:20]} splits are out of range", f"give a number from 1 to {MAX_SPLITS}"
        )
    return splits


def checked_retry(retry: str) -> Retry:
    """Which runs that could not go on are tried again.

    Raises:
        BadInput: If it is another word.
    """
    if retry == "diverged":
        raise BadInput(
            "a diverged run is not tried again: the same seed would diverge again",
            "train its row with another seed (--seeds)",
        )
    if retry not in list(Retry):
        raise BadInput(
            f"{retry!r} does not say which runs are tried again", f"give {' or '.join(Retry)}"
        )
    return Retry(retry)


def expanded(path: str | Path) -> Path:
    """A path with ``~`` replaced by the home folder.

    Raises:
        BadInput: If it names the home of a user who does not exist.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise BadInput(f"{path} is in no user's home folder", "correct the path") from error
