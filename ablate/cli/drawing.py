"""A variant's parts as a tree, from the image to the mask."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from ablate.runs import Parameters
from ablate.spec import Variant

if TYPE_CHECKING:
    from ablate.models import Part

_STYLES = {"trained": "green", "frozen": "blue"}


def drawing(name: str, variant: Variant, model: "Part", counted: Parameters) -> Tree:
    """A variant's parts with their shapes and parameters, and what is trained.

    Args:
        name: What it is called without a label.
        variant: Any system.
        model: Its parts.
        counted: Its parameters.
    """
    tree = Tree(Text.assemble((variant.label or name, "bold"), f" on {model.name}"))
    tree.add(Text(variant.describe()))
    _add(tree, model.parts)
    total = f"{counted.total:,} parameters, {counted.trainable:,} trained"
    if counted.sites:
        total += f", {counted.adapter:,} in adapters at {counted.sites} sites"
    tree.add(Text(total, "bold"))
    return tree


def _add(above: Tree, parts: Iterable["Part"]) -> None:
    for part in parts:
        texts = [part.name, part.module, part.shape, f"{part.parameters:,}"]
        line = Text("  ".join(text for text in texts if text))
        if part.state:
            line.append(f"  {part.state}", _STYLES[part.state])
        _add(above.add(line), part.parts)
