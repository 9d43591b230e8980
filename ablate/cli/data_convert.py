"""``ablate data convert``: any data set that is read, as the plain pair of folders."""

from pathlib import Path
from typing import Annotated

import typer

from ablate.cli import options
from ablate.cli.console import out
from ablate.study import convert_data
from ablate.study.data import DEFAULT_PROTOCOL


def convert(
    source: Annotated[
        Path, typer.Argument(help="The data set's folder; its layout is recognised.")
    ],
    target: Annotated[Path, typer.Argument(help="The folder to make; it must not exist.")],
    protocol: Annotated[
        str,
        typer.Option(
            envvar="ABLATE_PROTOCOL",
            help="The protocol that declares the layout where it cannot be recognised.",
        ),
    ] = DEFAULT_PROTOCOL,
    set_: options.Overrides = None,
) -> None:
    """Write a data set as a pair of folders: image/NAME.png, mask/NAME.png with 0 and 255.

    Images are written as they are trained on, in 8 bits. Parts that the data set's authors made are
    kept as train.txt and val.txt. What the layout is, and which values are positive, is declared as
    for a run, such as --set 'data={kind: coco, images: tiles, annotations: tiles.json}'.
    """
    made = convert_data(source, target, protocol=protocol, overrides=set_ or ())
    out.print(
        f"{made.images} pairs of {made.label} written to {made.target}",
        markup=False,
        soft_wrap=True,
    )
    if made.lists:
        out.print(
            f"its split is in {' and '.join(made.lists)}: train on it with --set "
            "'split={kind: lists}'",
            markup=False,
            soft_wrap=True,
        )
