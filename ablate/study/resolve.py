"""From names and paths to values: the sweep, its rows, its protocol and its context."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import DataError
from ablate.plan import identify_resnets, identify_weights
from ablate.registry import Catalogue
from ablate.report import load_published, load_scores
from ablate.runs import MatchedRow, ScaleRanges, Store
from ablate.spec import (
    BACKBONES,
    Context,
    Data,
    FoldersSplit,
    GeneratedData,
    Protocol,
    Sweep,
    Variant,
    numbered,
)
from ablate.study.matching import match_rows
from ablate.study.protocols import choose_protocol
from ablate.study.request import Request


@dataclass(frozen=True)
class Resolved:
    """What a request means.

    Attributes:
        sweep: The sweep.
        rows: Its variants by name, in the table's order.
        contexts: What its runs on each split share; the first is that of the protocol's own split.
        seeds: The seeds.
        choice: Why this protocol is used; None where the user or the sweep names it.
        matched: The rows that got a value by their ``match``, by name.
        ranges: The percentiles of the training images that become 0 and 255, for red, green and
            blue; None: none are declared.
    """

    sweep: Sweep
    rows: Mapping[str, Variant]
    contexts: tuple[Context, ...]
    seeds: tuple[int, ...]
    choice: str | None
    matched: Mapping[str, MatchedRow]
    ranges: ScaleRanges | None

    @property
    def context(self) -> Context:
        """What its runs on the protocol's own split share."""
        return self.contexts[0]


def resolve(request: Request, store: Store) -> Resolved:
    """Reads the catalogue once, and looks at data and weights.

    Raises:
        BadInput: If a name, a path or a file is wrong, or data or weights are missing.
    """
    catalogue = Catalogue()
    sweep = catalogue.sweep(request.sweep)
    check_published(sweep)
    protocol, choice = choose_protocol(request, sweep, catalogue)
    rows = catalogue.rows(sweep, protocol.backbone)
    splits = request.splits or sweep.splits
    contexts, ranges = identify_contexts(request, protocol, rows, store, splits)
    found = match_rows(rows, catalogue, protocol.backbone, store)
    seeds = request.seeds or sweep.seeds
    return Resolved(sweep, found.rows, contexts, seeds, choice, found.matched, ranges)


def check_published(sweep: Sweep) -> None:
    """Reads the published tables that the report will need.

    Raises:
        SpecError: If one is missing or breaks rules: that is better known before the training.
    """
    if sweep.published is not None:
        scores = load_scores(sweep.published)
        if scores.parameters is not None:
            load_published(scores.parameters)


def identify_contexts(
    request: Request, protocol: Protocol, rows: Mapping[str, Variant], store: Store, splits: int
) -> tuple[tuple[Context, ...], ScaleRanges | None]:
    """The identities of data and weights under a protocol, and what scales the images.

    The files are read once for all splits.

    Returns:
        What the runs on each split share, and the percentiles of the training images of the first.

    Raises:
        BadInput: If there are fewer splits.
        DataError: If the data set is missing, broken or too small.
        WeightsError: If a checkpoint is missing or not what its name says.
    """
    # NumPy and SciPy would double the time until a mistake above is reported.
    from ablate.data import identify, open_images, verify
    from ablate.data.splitting import FittedImages

    protocol = with_data(request.data, protocol, needs_checkpoint=request.checkpoint is None)
    declared = [numbered(protocol.split, number) for number in range(splits)]
    digests = store.digests_path if store.root.exists() else None
    weights = identify_weights(protocol.backbone, request.checkpoint, digests)
    resnets = identify_resnets(rows.values(), request.backbone_weights, digests)
    images = open_images(protocol.data, request.data, digests)
    if not isinstance(protocol.data, GeneratedData):
        verify(images, digests)
    contexts, ranges = [], []
    for split in declared:
        identity = identify(images, split, request.data)
        ranges.append(images.fitted_ranges if isinstance(images, FittedImages) else None)
        own = protocol.model_copy(update={"split": split})
        contexts.append(Context(protocol=own, data=identity, weights=weights, resnets=resnets))
    return tuple(contexts), ranges[0]


def with_data(data: Path | None, protocol: Protocol, *, needs_checkpoint: bool) -> Protocol:
    """The protocol with the kind of the data set that lies in the folder.

    Raises:
        DataError: If the protocol needs a folder and there is none, or it is of no known layout.
    """
    if data is None:
        if isinstance(protocol.data, GeneratedData):
            return protocol
        official = BACKBONES[protocol.backbone].checkpoint
        also = f" and --checkpoint {official}" if official and needs_checkpoint else ""
        raise DataError(
            f"protocol {protocol.name} needs images and none are configured",
            f"give --data PATH{also}, or run the demo with --protocol demo",
        )
    if not data.is_dir():
        raise DataError(f"there is no folder {data}", "give the data set's folder")
    found = recognised(data, protocol)
    _check_given_split(found, data, protocol)
    return protocol.model_copy(update={"data": found})


def recognised(root: Path, protocol: Protocol) -> Data:
    """The data set that lies in a folder, as the protocol declares it or else by its layout.

    Raises:
        DataError: If it is of no known layout.
    """
    from ablate.data import detect

    if protocol.data.kind in ("folders", "coco"):
        return protocol.data
    found = detect(root)
    # For one kind, the protocol's own declaration wins: part, channels, scale.
    return protocol.data if found.kind == protocol.data.kind else found


def names_split(overrides: Sequence[str]) -> bool:
    """Whether ``--set`` says which kind of split is meant."""
    keys = {override.partition("=")[0].strip() for override in overrides}
    return bool(keys & {"split", "split.kind"})


def _check_given_split(found: Data, root: Path, protocol: Protocol) -> None:
    """Asks which split is meant where the data's authors made one and the protocol another.

    Raises:
        DataError: If parts or lists lie ready, and the protocol would draw new parts from all
            images without having been told to.
    """
    from ablate.data import given_split

    if protocol.split.kind != "holdout" or names_split(protocol.overrides):
        return
    given = given_split(found, root)
    if given is None:
        return
    what = "ready parts" if isinstance(given, FoldersSplit) else "split lists"
    fields = given.model_dump(exclude_none=True)
    split = ", ".join(f"{key}: {value}" for key, value in fields.items())
    raise DataError(
        f"{root} has {what}, {given.train} and {given.validation}, and protocol {protocol.name} "
        "draws its own from all images",
        f"say which with --set 'split={{{split}}}', or with --set 'split.kind=holdout'",
    )
