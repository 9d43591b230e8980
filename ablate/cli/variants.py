"""``ablate variants``: what is declared, drawn, checked and counted."""

from typing import Annotated, Any

import typer
from rich.tree import Tree

from ablate.cli import options
from ablate.cli.console import TableFormat, out, print_json, print_rows
from ablate.errors import SpecError
from ablate.registry import Catalogue
from ablate.spec import (
    BACKBONES,
    Adapter,
    AtlAdapter,
    AtlReleasedAdapter,
    Backbone,
    BackboneName,
    Layer,
    NoAdapter,
    Variant,
    layers,
    midlay_text,
    shared_layers,
    site_count,
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
        adapter = variant.adapter
        row = {
            "name": name,
            "adapter": adapter.kind,
            "midlays": midlay_text(adapter),
            "residual": None if adapter.kind == "none" else adapter.residual,
            "placement": None if adapter.kind == "none" else adapter.placement,
            "width": None if adapter.kind == "none" else adapter.width,
        }
        if format is TableFormat.JSON:
            # Eighty columns cannot hold these without cutting the names off.
            row["label"] = variant.label or name
            row["sites"] = None if adapter.kind == "none" else adapter.sites
        rows.append(row)
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
    stack, shared = layers(adapter, geometry), shared_layers(adapter, geometry)
    if format is TableFormat.TABLE:
        out.print(_drawing(name, variant, geometry))
        return
    print_json(
        {
            "name": name,
            "file": str(catalogue.variant_files[name]),
            "variant": variant.model_dump(mode="json"),
            "backbone": variant.backbone or backbone,
            "sites": site_count(adapter, geometry),
            "parameters_per_site": _parameters(stack),
            "parameters_shared": _parameters(shared),
            "layers": [vars(layer) for layer in stack],
            "shared_layers": [vars(layer) for layer in shared],
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


def _parameters(stack: list[Layer]) -> int:
    return sum(layer.parameters for layer in stack)


def _drawing(name: str, variant: Variant, backbone: Backbone) -> Tree:
    """A variant as a tree, from the image to the mask."""
    adapter = variant.adapter
    trained = dict.fromkeys(variant.trained, "[green]trained[/]")
    frozen = "[blue]frozen[/]"
    grid = f"{backbone.image_size_px // 16}×{backbone.image_size_px // 16}"
    tree = Tree(f"[bold]{variant.label or name}[/] on {backbone.label}")
    tree.add(f"patch and position embedding  3 → {backbone.width}, {grid} tokens  {frozen}")
    shared = shared_layers(adapter, backbone)
    if shared:
        _add_layers(tree, f"shared by all prompts  {trained['adapter']}", shared)
    blocks = tree.add(f"{backbone.depth} blocks, each")
    if adapter.kind != "none" and adapter.placement == "inside":
        blocks.add(f"LayerNorm, attention  {frozen}")
    stack = layers(adapter, backbone)
    if stack:
        _add_layers(blocks, f"{_site(adapter)}  {trained['adapter']}", stack)
    if adapter.kind != "none" and adapter.placement == "inside":
        blocks.add(f"+ shortcut, LayerNorm, MLP  {frozen}")
    else:
        blocks.add(f"transformer block  {frozen}")
    tree.add(f"neck  {backbone.width} → {backbone.prompt_width}  {frozen}")
    if "no_mask_embedding" in trained:
        embedding = f"no-mask embedding  {backbone.prompt_width}"
        tree.add(f"{embedding}  {trained['no_mask_embedding']}")
    tree.add(f"mask decoder, no prompts, mask token 0  {trained.get('mask_decoder', frozen)}")
    sites = site_count(adapter, backbone)
    if sites:
        total = sites * _parameters(stack) + _parameters(shared)
        tree.add(f"[bold]{total:,}[/] adapter parameters at {sites} sites")
    return tree


def _site(adapter: Adapter) -> str:
    """What stands at one site, as a formula."""
    match adapter:
        case AtlAdapter():
            formula = "Ω(X) = Θ(X) + X" if adapter.residual else "Θ(X)"
            spared = ", not before the first block" if adapter.sites == "between" else ""
            return f"ATL  {formula}, d = {adapter.width}{spared}"
        case AtlReleasedAdapter():
            up = "MidLays(F)" if "c" in adapter.midlays else "L_up(MidLays(F))"
            return f"prompt  X + {up}, d = {adapter.width}"
        case NoAdapter():
            return ""


def _add_layers(above: Tree, text: str, stack: list[Layer]) -> None:
    branch = above.add(f"{text}  {_parameters(stack):,} parameters")
    for layer in stack:
        branch.add(f"{layer.name}  {layer.module}  {layer.shape}  {layer.parameters:,}")
