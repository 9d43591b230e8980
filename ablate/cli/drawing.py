"""Variants as trees, from the image to the mask."""

from rich.tree import Tree

from ablate.spec import (
    ARCHITECTURES,
    BACKBONES,
    PATCH_SIZE_PX,
    RESNETS,
    Adapter,
    AtlAdapter,
    AtlReleasedAdapter,
    BackboneName,
    CnnVariant,
    InteriorPoints,
    Layer,
    NoAdapter,
    SamVariant,
    Variant,
    ZeroShotVariant,
    count_cnn_parameters,
    count_parameters,
    encoder_layers,
    head_layers,
    layers,
    parameters_of,
    sam_layers,
    shared_layers,
)

_TRAINED, _FROZEN = "[green]trained[/]", "[blue]frozen[/]"


def drawing(name: str, variant: Variant, backbone: BackboneName) -> Tree:
    """A variant's parts with their shapes and parameters, and what is trained.

    Args:
        name: What it is called without a label.
        variant: Any system.
        backbone: The SAM that it is built on; it means nothing to a rival.
    """
    title = f"[bold]{variant.label or name}[/] on"
    match variant:
        case SamVariant():
            return _adapted(title, variant, backbone)
        case CnnVariant():
            return _rival(title, variant)
        case ZeroShotVariant():
            return _zero_shot(title, variant, backbone)


def _adapted(title: str, variant: SamVariant, backbone: BackboneName) -> Tree:
    geometry, adapter = BACKBONES[backbone], variant.adapter
    trained = dict.fromkeys(variant.trained, _TRAINED)
    side = geometry.image_size_px // PATCH_SIZE_PX
    tree = Tree(f"{title} {geometry.label}")
    embedding = f"3 → {geometry.width}, {side}×{side} tokens"
    tree.add(f"patch and position embedding  {embedding}  {_FROZEN}")
    if shared := shared_layers(adapter, geometry):
        _add_layers(tree, f"shared by all prompts  {trained['adapter']}", shared)
    blocks = tree.add(f"{geometry.depth} blocks, each")
    inside = adapter.columns().get("placement") == "inside"
    if inside:
        blocks.add(f"LayerNorm, attention  {_FROZEN}")
    if stack := layers(adapter, geometry):
        _add_layers(blocks, f"{_site(adapter)}  {trained['adapter']}", stack)
    blocks.add(f"{'+ shortcut, LayerNorm, MLP' if inside else 'transformer block'}  {_FROZEN}")
    tree.add(f"neck  {geometry.width} → {geometry.prompt_width}  {_FROZEN}")
    if "no_mask_embedding" in trained:
        tree.add(f"no-mask embedding  {geometry.prompt_width}  {trained['no_mask_embedding']}")
    tree.add(f"mask decoder, no prompts, mask token 0  {trained.get('mask_decoder', _FROZEN)}")
    counted = count_parameters(variant, backbone)
    if counted.sites:
        tree.add(f"[bold]{counted.adapter:,}[/] adapter parameters at {counted.sites} sites")
    return tree


def _rival(title: str, variant: CnnVariant) -> Tree:
    architecture = ARCHITECTURES[variant.architecture]
    tree = Tree(f"{title} {RESNETS[variant.resnet].label}")
    grain = f"last features at 1/{architecture.output_stride} of the image's side"
    _add_layers(tree, f"encoder, {grain}  {_TRAINED}", encoder_layers(variant))
    _add_layers(tree, f"head  {_TRAINED}", head_layers(variant))
    if variant.auxiliary_weight is not None:
        tree.add(f"loss + {variant.auxiliary_weight:g} × loss of the auxiliary head")
    tree.add(f"[bold]{count_cnn_parameters(variant).total:,}[/] parameters, all trained")
    return tree


def _zero_shot(title: str, variant: ZeroShotVariant, backbone: BackboneName) -> Tree:
    geometry, prompts = BACKBONES[backbone], variant.prompts
    tree = Tree(f"{title} {geometry.label}")
    if isinstance(prompts, InteriorPoints):
        tree.add("prompts: one point inside each landslide of the truth")
    else:
        tree.add(f"prompts: a grid of {prompts.points_per_side} × {prompts.points_per_side} points")
    for part in sam_layers(geometry):
        tree.add(f"{_text(part)}  {_FROZEN}")
    if not isinstance(prompts, InteriorPoints):
        kept = f"quality ≥ {prompts.min_quality:g}, stability ≥ {prompts.min_stability:g}"
        tree.add(f"masks of {kept}: landslide if most of it is, says the truth")
    total = count_parameters(variant, backbone).total
    tree.add(f"[bold]{total:,}[/] parameters, none trained")
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
    branch = above.add(f"{text}  {parameters_of(stack):,} parameters")
    for layer in stack:
        branch.add(_text(layer))


def _text(layer: Layer) -> str:
    return f"{layer.name}  {layer.module}  {layer.shape}  {layer.parameters:,}"
