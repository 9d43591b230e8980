"""From the words of the command line to a sweep, its context and its plan."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import BadInput, DataError
from ablate.plan import Plan, build_plan, identify_resnets, identify_weights, sweep_runs
from ablate.registry import Catalogue
from ablate.runs import Store
from ablate.spec import BACKBONES, Context, GeneratedData, Protocol, Variant

_DEMO = "demo"


@dataclass(frozen=True)
class Request:
    """What the options of ``run`` and ``plan`` say.

    Attributes:
        grid: The sweep's name.
        protocol: The protocol's name; None: not given.
        data: The data set's folder; None: not given.
        checkpoint: The weights' file; None: not given.
        backbone_weights: Files of the rivals' ResNets.
        variants: Only these rows; empty: all.
        seeds: ``0,1,2``; None: the sweep's own.
        overrides: ``KEY=VALUE`` for the protocol.
    """

    grid: str
    protocol: str | None
    data: Path | None
    checkpoint: Path | None
    backbone_weights: Sequence[Path]
    variants: Sequence[str]
    seeds: str | None
    overrides: Sequence[str]

    @property
    def demo_by_default(self) -> bool:
        """Whether the demo runs because nothing else is configured."""
        configured = (self.protocol, self.data, self.checkpoint, *self.backbone_weights)
        return all(each is None for each in configured)


def resolve(request: Request, store: Store) -> Plan:
    """The plan of a request.

    Raises:
        BadInput: If a name, a path or a spec is wrong, or data or weights are missing.
    """
    catalogue = Catalogue()
    sweep = catalogue.sweep(request.grid)
    seeds = sweep.seeds if request.seeds is None else parse_seeds(request.seeds)
    name = request.protocol or (_DEMO if request.demo_by_default else sweep.protocol)
    protocol = catalogue.protocol(name, request.overrides)
    rows = catalogue.rows(request.grid, protocol.backbone)
    context = _context(protocol, rows.values(), request, store)
    runs = sweep_runs(rows, context, seeds, request.variants)
    return build_plan(sweep, context, runs, store)


def _context(
    protocol: Protocol, variants: Iterable[Variant], request: Request, store: Store
) -> Context:
    # Only now: NumPy and SciPy would double the time until `ablate --help` answers.
    from ablate.data import detect, identify, open_images

    data, checkpoint = request.data, request.checkpoint
    if data is not None:
        if not data.is_dir():
            raise DataError(f"there is no folder {data}", "give the data set's folder")
        if protocol.data.kind != "folders":
            found = detect(data)
            # Of one kind the protocol's own words win: part, channels, scale.
            if found.kind != protocol.data.kind:
                protocol = protocol.model_copy(update={"data": found})
    elif not isinstance(protocol.data, GeneratedData):
        official = BACKBONES[protocol.backbone].checkpoint
        also = f" and --checkpoint {official}" if official and checkpoint is None else ""
        raise DataError(
            f"protocol {protocol.name} needs images and none are configured",
            f"give --data PATH{also}, or run the demo with --protocol demo",
        )
    digests = store.digests_path if store.root.exists() else None
    weights = identify_weights(protocol.backbone, checkpoint, digests)
    resnets = identify_resnets(variants, request.backbone_weights, digests)
    identity = identify(open_images(protocol.data, data, digests), protocol.split)
    return Context(protocol=protocol, data=identity, weights=weights, resnets=resnets)


def parse_seeds(text: str) -> tuple[int, ...]:
    """``0,1,2`` as numbers.

    Raises:
        BadInput: If it is anything else, or names a seed twice.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words):
        raise BadInput(f"--seeds {text} is no list of numbers", "give it like --seeds 0,1,2")
    seeds = tuple(int(word) for word in words)
    if len(set(seeds)) != len(seeds):
        raise BadInput(f"--seeds {text} names a seed twice", "name each once")
    return seeds
