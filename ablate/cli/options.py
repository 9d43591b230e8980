"""Options that several commands share. Each has an environment variable ABLATE_NAME."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ablate.cli.config import Settings
from ablate.cli.lines import TableFormat
from ablate.errors import BadInput
from ablate.runs import DEFAULT_STORE as DEFAULT_STORE

# One more than the largest seed has: enough to be too large.
_SEED_DIGITS = 11


def expand(path: Path | None) -> Path | None:
    """Replaces ``~``, which a shell leaves as it is in variables, settings and ``--store=~/x``."""
    if path is None or not str(path).startswith("~"):
        return path
    # Commands that only list need nothing else of that room.
    from ablate.study.request import expanded

    return expanded(path)


def parse_seeds(text: str | None) -> tuple[int, ...] | None:
    """``0,1,2`` as numbers; their values are checked by ``Study``.

    Raises:
        BadInput: If it is anything else.
    """
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdecimal() for word in words):
        raise BadInput(f"--seeds {text} is not a list of numbers", "give it like --seeds 0,1,2")
    # Python refuses to read numbers of thousands of digits; a seed has ten at most.
    return tuple(int((word.lstrip("0") or "0")[:_SEED_DIGITS]) for word in words)


def settings_of_executor(
    context: typer.Context, executor: str, ray_address: str | None
) -> Mapping[str, Any]:
    """The settings of the executor that is meant: of ``ablate.toml`` and of options.

    Raises:
        BadInput: If an option is for another executor.
    """
    settings = context.obj if isinstance(context.obj, Settings) else Settings()
    found = settings.executors.get(executor, {})
    if ray_address is None:
        return found
    if executor == "ray":
        return {**found, "address": ray_address}
    # By the environment or a file it may be there for other commands.
    source = context.get_parameter_source("ray_address")
    if source is not None and source.name == "COMMANDLINE":
        raise BadInput(
            f"--ray-address {ray_address} is not for --executor {executor}", "add --executor ray"
        )
    return found


def out_option(help: str) -> Any:
    """``--out``, of which every command says what is written there."""
    return typer.Option(
        "--out", envvar="ABLATE_OUT", callback=expand, help=help, show_default=False
    )


Grid = Annotated[
    str, typer.Option(envvar="ABLATE_GRID", help="The sweep: a file of sweeps/, such as table4.")
]
OnlyGrid = Annotated[
    str | None,
    typer.Option(
        "--grid",
        envvar="ABLATE_GRID",
        help="Only this sweep. [default: all]",
        show_default=False,
    ),
]
OneGrid = Annotated[
    str | None,
    typer.Option(
        "--grid",
        envvar="ABLATE_GRID",
        help="The sweep that --row is of, such as table4.",
        show_default=False,
    ),
]
Row = Annotated[
    str | None,
    typer.Option(
        "--row",
        envvar="ABLATE_ROW",
        metavar="NAME",
        help="The trained row of the sweep, by its variant's name.",
        show_default=False,
    ),
]
RunKey = Annotated[
    str | None,
    typer.Option(
        "--run",
        envvar="ABLATE_RUN",
        metavar="KEY",
        help="A single run instead of a row: its key, or the first digits of it.",
        show_default=False,
    ),
]
ProtocolName = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        envvar="ABLATE_PROTOCOL",
        help="The training recipe: a file of sweeps/protocols/. [default: the sweep's own, or "
        "demo if neither data nor checkpoint is given]",
        show_default=False,
    ),
]
OnlyProtocol = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        envvar="ABLATE_PROTOCOL",
        help="Only runs of this protocol, overridden or not. [default: the sweep's latest start]",
        show_default=False,
    ),
]
DataPath = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="ABLATE_DATA",
        callback=expand,
        help="The data set's folder; its layout is recognised.",
        show_default=False,
    ),
]
CheckpointPath = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        envvar="ABLATE_CHECKPOINT",
        callback=expand,
        help="SAM's official weights, such as sam_vit_l_0b3195.pth.",
        show_default=False,
    ),
]
BackboneWeights = Annotated[
    list[Path] | None,
    typer.Option(
        "--backbone-weights",
        envvar="ABLATE_BACKBONE_WEIGHTS",
        metavar="FILE",
        help="ImageNet weights of the CNN baselines' ResNets, such as resnet50-0676ba61.pth; may "
        "be repeated. [default: random values]",
        show_default=False,
    ),
]
VariantNames = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        envvar="ABLATE_VARIANT",
        metavar="NAME",
        help="Only this row of the sweep; may be repeated. [default: all]",
        show_default=False,
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        envvar="ABLATE_SEEDS",
        metavar="0,1,2",
        help="Seeds, separated by commas. [default: the sweep's own]",
        show_default=False,
    ),
]
Splits = Annotated[
    int | None,
    typer.Option(
        "--splits",
        envvar="ABLATE_SPLITS",
        metavar="N",
        help="On how many splits each row is trained with each seed; the first is the protocol's "
        "own. [default: the sweep's own number]",
        show_default=False,
    ),
]


def _devices(help: str) -> Any:
    return typer.Option(
        "--device", envvar="ABLATE_DEVICE", metavar="NAME", help=help, show_default=False
    )


Devices = Annotated[
    list[str] | None,
    _devices(
        "Where to train, such as cuda:0 or cpu; may be repeated, one worker each. "
        "[default: all GPUs, else the CPU]"
    ),
]
ComputingDevices = Annotated[
    list[str] | None,
    _devices(
        "Where to compute, such as cuda:0; may be given several times. "
        "[default: all GPUs, else the CPU]"
    ),
]
ComputingDevice = Annotated[
    list[str] | None,
    _devices("Where to compute, such as cuda:0 or cpu. [default: the first GPU, else the CPU]"),
]
ExecutorName = Annotated[
    str,
    typer.Option(
        "--executor",
        envvar="ABLATE_EXECUTOR",
        metavar="NAME",
        help="local: a worker process for each device; inline: this very process; slurm: a job of "
        "SLURM for each cohort; ray: an actor of Ray for each cohort.",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        envvar="ABLATE_RAY_ADDRESS",
        metavar="HOST:PORT",
        help="With --executor ray: the cluster that trains. [default: one of this machine's own, "
        "which ends with the command]",
        show_default=False,
    ),
]
StorePath = Annotated[
    Path,
    typer.Option(
        "--store",
        envvar="ABLATE_STORE",
        callback=expand,
        help="The folder that holds runs and MLflow.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        envvar="ABLATE_SET",
        metavar="KEY=VALUE",
        help="Change a field of the protocol, such as epochs=3 or optimizer.lr=1e-3; may be "
        "repeated.",
        show_default=False,
    ),
]
CohortSize = Annotated[
    int | None,
    typer.Option(
        "--cohort-size",
        envvar="ABLATE_COHORT_SIZE",
        min=1,
        help="How many runs a worker trains together at most, over one frozen image encoder. "
        "[default: all that can be]",
        show_default=False,
    ),
]
Format = Annotated[
    TableFormat, typer.Option("--format", envvar="ABLATE_FORMAT", help="How to print.")
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        envvar=["ABLATE_TRACKING_URI", "MLFLOW_TRACKING_URI"],
        help="An MLflow server. [default: a database in the store]",
        show_default=False,
    ),
]
Track = Annotated[
    bool,
    typer.Option(
        "--track/--no-track", envvar="ABLATE_TRACK", help="Mirror the runs into MLflow meanwhile."
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", envvar="ABLATE_QUIET", help="Print only errors.")
]
Retry = Annotated[
    str,
    typer.Option(
        envvar="ABLATE_RETRY",
        metavar="failed|none",
        help="Which runs that could not go on in an earlier start are tried again. A diverged one "
        "is not: the same seed would diverge again.",
    ),
]
KeepGoing = Annotated[
    bool,
    typer.Option(
        "--keep-going/--fail-fast",
        envvar="ABLATE_KEEP_GOING",
        help="Whether the other runs go on after one has failed. If not, nothing new starts, and "
        "what is being trained saves its state.",
    ),
]
