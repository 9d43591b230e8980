"""``ablate variants``: what is declared, drawn, checked and counted."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from ablate.cli import options
from ablate.cli.console import cell, out, print_rows
from ablate.cli.hidden import print_hidden
from ablate.cli.lines import TableFormat, print_json
from ablate.errors import SpecError
from ablate.registry import Catalogue
from ablate.spec import BackboneName

app = typer.Typer(help="The catalogue: list, draw, check and count variants.", no_args_is_help=True)

# Columns that set a variant apart from others, but for these details.
_ONLY_IN_JSON = ("system", "label", "kernel_size", "up_init")
# So that a table fits into 80 characters.
_HEADINGS = {"encoder_weights": "encoder", "placement": "placed", "width": "d"}

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
    """List every variant, a table for each system and kind of adapter."""
    catalogue = Catalogue()
    variants = {name: catalogue.variant(name) for name in catalogue.variant_files}
    columns = dict.fromkeys(key for each in variants.values() for key in each.columns())
    rows: list[dict[str, Any]] = [
        {"name": name, "system": variant.system, "label": variant.label or name}
        | {key: variant.columns().get(key) for key in columns}
        for name, variant in variants.items()
    ]
    if format is TableFormat.JSON:
        print_rows(rows, format)
        return
    groups: dict[tuple[Any, Any], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["system"], row["adapter"]), []).append(row)
    for group in groups.values():
        _print_group(group)
    print_hidden(catalogue, {f"variant {name}" for name in variants})


def _print_group(rows: list[dict[str, Any]]) -> None:
    """Prints variants; the title says what they share, the columns what sets them apart."""
    values = {key: {row[key] for row in rows} for key in rows[0] if key not in _ONLY_IN_JSON}
    apart = [key for key, distinct in values.items() if key == "name" or len(distinct) > 1]
    shared = [
        f"{key.replace('_', ' ')} {cell(rows[0][key])}"
        for key in values
        if key not in apart and rows[0][key] is not None
    ]
    title = f"{rows[0]['system']}: {', '.join(shared)}" if shared else rows[0]["system"]
    out.print(Text(title, "bold"))
    table = [{_HEADINGS.get(key, key): row[key] for key in apart} for row in rows]
    print_rows(table, TableFormat.TABLE)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The variant's name.")],
    backbone: BackboneOption = "vit_l",
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Draw a variant: its parts with shapes and parameters, and what is trained."""
    catalogue = Catalogue()
    catalogue.variant(name)

    from ablate.cli.drawing import drawing
    from ablate.models import count, parts_of
    from ablate.study.matching import match_variant

    variant, found = match_variant(name, catalogue, backbone)
    sam = variant.backbone or backbone
    model, counted = parts_of(variant, sam), count(variant, sam)
    if format is TableFormat.TABLE:
        out.print(drawing(name, variant, model, counted))
        if found:
            out.print(found.sentence, soft_wrap=True)
        return
    print_json(
        {
            "name": name,
            "file": str(catalogue.variant_files[name]),
            "variant": variant.model_dump(mode="json"),
            "description": variant.describe(),
            "backbone": None if variant.system == "cnn" else sam,
            **counted.model_dump(),
            "matched": found.model_dump(mode="json", exclude={"declaration"}) if found else None,
            "parts": asdict(model)["parts"],
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
    from ablate.study.matching import match_variant

    catalogue = Catalogue()
    rows: list[dict[str, Any]] = []
    for name in names or catalogue.variant_files:
        variant, _ = match_variant(name, catalogue, backbone)
        counted = count(variant, variant.backbone or backbone)
        rows.append({"variant": name, **counted.model_dump()})
    print_rows(rows, format)
