"""``ablate variants``: what is declared, drawn, checked and counted."""

from typing import Annotated, Any

import typer
from rich.tree import Tree

from ablate.cli import options
from ablate.cli.console import TableFormat, out, print_json, print_rows
from ablate.errors import SpecError
from ablate.registry import Catalogue
from ablate.spec import BACKBONES, Backbone, BackboneName, Variant, layers, midlay_text

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
        adapter = variant.adapter
        rows.append(
            {
                "name": name,
                "label": variant.label or name,
                "adapter": adapter.kind,
                "midlays": midlay_text(adapter),
                "residual": adapter.residual if adapter.kind == "atl" else None,
                "placement": adapter.placement if adapter.kind == "atl" else None,
                "width": adapter.width if adapter.kind == "atl" else None,
            }
        )
    print_rows(rows, format)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The variant's name.")],
    backbone: BackboneOption = "vit_l",
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Draw a variant: where its adapters sit, and their layers with shapes and parameters."""
    catalogue = Catalogue()
    variant = catalogue.variant(name)
    geometry = BACKBONES[variant.backbone or backbone]
    adapter = variant.adapter
    stack = layers(adapter, geometry) if adapter.kind == "atl" else []
    per_site = sum(layer.parameters for layer in stack)
    if format is TableFormat.TABLE:
        out.print(_drawing(name, variant, geometry))
        return
    print_json(
        {
            "name": name,
            "file": str(catalogue.variant_files[name]),
            "variant": variant.model_dump(mode="json"),
            "backbone": variant.backbone or backbone,
            "sites": geometry.depth if stack else 0,
            "parameters_per_site": per_site,
            "layers": [vars(layer) for layer in stack],
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


def _drawing(name: str, variant: Variant, backbone: Backbone) -> Tree:
    """A variant as a tree, from the image to the mask."""
    adapter = variant.adapter
    trained = dict.fromkeys(variant.trained, "[green]trained[/]")
    frozen = "[blue]frozen[/]"
    grid = f"{backbone.image_size_px // 16}×{backbone.image_size_px // 16}"
    tree = Tree(f"[bold]{variant.label or name}[/] on {backbone.label}")
    tree.add(f"patch and position embedding  3 → {backbone.width}, {grid} tokens  {frozen}")
    blocks = tree.add(f"{backbone.depth} blocks, each")
    if adapter.kind == "none":
        blocks.add(f"transformer block  {frozen}")
    else:
        stack = layers(adapter, backbone)
        formula = "Ω(X) = Θ(X) + X" if adapter.residual else "Θ(X)"
        count = sum(layer.parameters for layer in stack)
        text = f"ATL  {formula}, d = {adapter.width}  {trained['adapter']}  {count:,} parameters"
        if adapter.placement == "inside":
            blocks.add(f"LayerNorm, attention  {frozen}")
        atl = blocks.add(text)
        for layer in stack:
            atl.add(f"{layer.name}  {layer.module}  {layer.shape}  {layer.parameters:,}")
        rest = (
            "+ shortcut, LayerNorm, MLP" if adapter.placement == "inside" else "transformer block"
        )
        blocks.add(f"{rest}  {frozen}")
    tree.add(f"neck  {backbone.width} → {backbone.prompt_width}  {frozen}")
    tree.add(f"mask decoder, no prompts, mask token 0  {trained.get('mask_decoder', frozen)}")
    if adapter.kind != "none":
        total = backbone.depth * sum(layer.parameters for layer in layers(adapter, backbone))
        tree.add(f"[bold]{total:,}[/] adapter parameters at {backbone.depth} sites")
    return tree
