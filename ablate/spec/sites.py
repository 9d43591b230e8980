"""Sites: which transformer blocks of the image encoder an adapter changes."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, WrapValidator

from ablate.errors import BadInput

# Of any encoder by far: a longer list is refused before it is looked at.
MAX_SITES = 1_024

# Not strict: behind a validator of its own, pydantic takes even JSON's lists for Python's.
Blocks = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1, strict=False)]


def _one_message(value: Any, validate: Callable[[Any], Any]) -> Any:
    """One message for a value that is none of the alternatives, instead of one for each."""
    try:
        sites = validate(value)
    except ValidationError:
        raise ValueError(
            "it must be a word that names blocks, such as all or late, or a list of at most "
            f"{MAX_SITES} numbers of blocks, counted from 0"
        ) from None
    if isinstance(sites, tuple):
        if len(sites) > MAX_SITES:
            raise ValueError(f"{len(sites)} numbers; no encoder has as many blocks")
        if len(set(sites)) != len(sites):
            raise ValueError("a block is listed twice; list each once")
    return sites


OneMessage = WrapValidator(_one_message)

Sites = Annotated[Literal["all", "late"] | Blocks, OneMessage]


def chosen_blocks(sites: str | tuple[int, ...], depth: int) -> tuple[int, ...]:
    """The numbers of the blocks that ``sites`` names, counted from 0, in order.

    Args:
        sites: ``all``; ``between``: all but the first; ``late``: the second half; or numbers.
        depth: How many blocks the encoder has.

    Raises:
        BadInput: If a number is not that of a block.
    """
    if isinstance(sites, tuple):
        if beyond := [number for number in sites if number >= depth]:
            raise BadInput(
                f"sites names block {beyond[0]}, but the image encoder has {depth} blocks",
                f"give numbers from 0 to {depth - 1}",
            )
        return tuple(sorted(sites))
    first = {"all": 0, "between": 1, "late": depth // 2}[sites]
    return tuple(range(first, depth))


def sites_text(sites: str | tuple[int, ...]) -> str:
    """The sites in a cell of a table."""
    return sites if isinstance(sites, str) else " ".join(map(str, sorted(sites)))


def sites_phrase(sites: str | tuple[int, ...]) -> str:
    """The sites at the end of a sentence; nothing for all blocks."""
    if sites == "all":
        return ""
    if isinstance(sites, str):
        return {"late": ", in the second half of the blocks"}.get(sites, "")
    return f", in the blocks {sites_text(sites)}"


def canonical_sites(sites: str | list[int], depth: int) -> str | list[int]:
    """One spelling of the sites in an identity: ``all`` or ``late`` where a list says the same."""
    if isinstance(sites, str):
        return sites
    for word in ("all", "late"):
        if sorted(sites) == list(chosen_blocks(word, depth)):
            return word
    return sorted(sites)
