"""Options that several commands share. Each has an environment variable ABLATE_NAME."""

from pathlib import Path
from typing import Annotated

import typer

from ablate.cli.console import TableFormat

DEFAULT_STORE = Path("ablate-store")

Grid = Annotated[
    str, typer.Option(envvar="ABLATE_GRID", help="The sweep: a file of sweeps/, such as table4.")
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
DataPath = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="ABLATE_DATA",
        help="The data set's folder; its layout is recognised.",
        show_default=False,
    ),
]
CheckpointPath = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        envvar="ABLATE_CHECKPOINT",
        help="SAM's official weights, such as sam_vit_l_0b3195.pth.",
        show_default=False,
    ),
]
BackboneWeights = Annotated[
    list[Path] | None,
    typer.Option(
        "--backbone-weights",
        envvar="ABLATE_BACKBONE_WEIGHTS",
        help="ImageNet weights of the rivals' ResNets, such as resnet50-0676ba61.pth; may be "
        "repeated. [default: random values]",
        show_default=False,
    ),
]
VariantNames = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        envvar="ABLATE_VARIANT",
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
Devices = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        envvar="ABLATE_DEVICE",
        help="Where to train, such as cuda:0 or cpu; may be repeated, one worker each. "
        "[default: all GPUs, else the CPU]",
        show_default=False,
    ),
]
StorePath = Annotated[
    Path,
    typer.Option("--store", envvar="ABLATE_STORE", help="The folder that holds runs and MLflow."),
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
Format = Annotated[
    TableFormat, typer.Option("--format", envvar="ABLATE_TABLE_FORMAT", help="How to print.")
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
