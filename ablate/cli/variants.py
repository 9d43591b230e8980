"""``ablate variants``: what is declared, drawn, checked and counted."""

from typing import Annotated, Any

import typer

from ablate.cli import options
from ablate.cli.console import TableFormat, out, print_json, print_rows
from ablate.cli.drawing import drawing
from ablate.errors import SpecError
from ablate.registry import Catalogue
from ablate.spec import (
    BACKBONES,
    Backbone,
    BackboneName,
    CnnVariant,
    Layer,
    SamVariant,
    Variant,
    ZeroShotVariant,
    count_parameters,
    encoder_layers,
    head_layers,
    layers,
    parameters_of,
    sam_layers,
    shared_layers,
)

app = typer.Typer(help="The registry: list, draw, check and count variants.", no_args_is_help=True)

BackboneOption = Annotated[
    BackboneName,
    typer.Option(
        "--backbone",
        envvar="ABLATE_BACKBONE",
        help="The image encoder of variants that name none.",
    ),
]


@app.command("list")
def list_(format: options.Format = TableFormat.TABLE) -> None:
    """List every variant."""
    catalogue = Catalogue()
    rows = []
    for name in catalogue.variant_files:
        variant = catalogue.variant(name)
        row = {"name": name, "system": variant.system} | _structure(variant)
        if format is TableFormat.JSON:
            # Eighty columns cannot hold these without cutting the names off.
            row |= {"label": variant.label or name} | _kind(variant)
        rows.append(row)
    print_rows(rows, format)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The variant's name.")],
    backbone: BackboneOption = "vit_l",
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Draw a variant: its parts and layers with shapes and parameters, and what is trained."""
    catalogue = Catalogue()
    variant = catalogue.variant(name)
    sam: BackboneName = variant.backbone or backbone
    if format is TableFormat.TABLE:
        out.print(drawing(name, variant, sam))
        return
    print_json(
        {
            "name": name,
            "file": str(catalogue.variant_files[name]),
            "variant": variant.model_dump(mode="json"),
            "backbone": None if variant.system == "cnn" else sam,
            **vars(count_parameters(variant, sam)),
            **_parts(variant, BACKBONES[sam]),
        }
    )


@app.command()
def check() -> None:
    """Check every variant, sweep and protocol that can be found."""
    catalogue = Catalogue()
    if problems := catalogue.check():
        raise SpecError(problems)
    out.print(
        f"{len(catalogue.variant_files)} variants, {len(catalogue.sweep_files)} sweeps and "
        f"{len(catalogue.protocol_files)} protocols: no problem"
    )


@app.command()
def params(
    names: Annotated[
        list[str] | None, typer.Argument(help="Only these variants.", show_default="all")
    ] = None,
    backbone: BackboneOption = "vit_l",
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Count parameters on modules without weights; the total is Table III's."""
    from ablate.models import count

    catalogue = Catalogue()
    rows: list[dict[str, Any]] = []
    for name in names or catalogue.variant_files:
        variant = catalogue.variant(name)
        counted = count(variant, variant.backbone or backbone)
        rows.append({"variant": name, **counted.model_dump()})
    print_rows(rows, format)


def _structure(variant: Variant) -> dict[str, Any]:
    """What sets adapters apart in Table IV."""
    columns = variant.columns()
    return {name: columns.get(name) for name in ("midlays", "residual", "placement", "width")}


def _kind(variant: Variant) -> dict[str, Any]:
    """What tells the members of a system apart; None where another system is spoken of."""
    return {
        "adapter": variant.adapter.kind if isinstance(variant, SamVariant) else None,
        "sites": variant.columns().get("sites"),
        "architecture": variant.architecture if isinstance(variant, CnnVariant) else None,
        "prompts": variant.prompts.kind if isinstance(variant, ZeroShotVariant) else None,
    }


def _parts(variant: Variant, backbone: Backbone) -> dict[str, Any]:
    """The layers that a drawing shows, as data."""
    match variant:
        case SamVariant():
            own = layers(variant.adapter, backbone)
            shared = shared_layers(variant.adapter, backbone)
            return {
                "parameters_per_site": parameters_of(own),
                "parameters_shared": parameters_of(shared),
                "layers": _data(own),
                "shared_layers": _data(shared),
            }
        case CnnVariant():
            return {
                "encoder_layers": _data(encoder_layers(variant)),
                "head_layers": _data(head_layers(variant)),
            }
        case ZeroShotVariant():
            return {"layers": _data(sam_layers(backbone))}


def _data(stack: list[Layer]) -> list[dict[str, Any]]:
    return [vars(layer) for layer in stack]
