"""The paper's ten structures as specs, independent of the shipped files."""

from ablate.spec import AtlAdapter, AtlReleasedAdapter, MidLay, NoAdapter, SamVariant


def structure(
    midlays: tuple[MidLay, ...], placement: str, *, residual: bool, width: int = 2
) -> SamVariant:
    """One ATL structure, trained as the paper trains it."""
    adapter = AtlAdapter.model_validate(
        {
            "kind": "atl",
            "midlays": midlays,
            "placement": placement,
            "residual": residual,
            "width": width,
        }
    )
    return SamVariant(system="sam", adapter=adapter, trained=("adapter", "mask_decoder"))


STRUCTURES: dict[str, SamVariant] = {
    "translandseg-1": structure(("c", "c", "c"), "outside", residual=True),
    "translandseg-2": structure(("c", "c"), "outside", residual=True),
    "translandseg-3": structure(("c", "c"), "outside", residual=False),
    "translandseg-4": structure(("m", "m"), "outside", residual=True),
    "translandseg-5": structure(("m", "m", "c", "c", "c"), "outside", residual=True),
    "translandseg-6": structure(("m", "m", "c", "c", "c"), "inside", residual=True),
    "translandseg-7": structure(("m",), "outside", residual=False),
    "translandseg-8": structure(("m",), "inside", residual=True),
    "translandseg-9": structure(("m",), "inside", residual=False),
    "translandseg": structure(("m",), "outside", residual=True),
}


def labelled_structure(name: str) -> SamVariant:
    """One of the ten with its label in the paper's tables."""
    label = name.replace("translandseg", "TransLandSeg")
    return STRUCTURES[name].model_copy(update={"label": label})


BETWEEN = SamVariant(
    system="sam",
    adapter=AtlAdapter(
        kind="atl", midlays=("m",), placement="outside", residual=True, width=2, sites="between"
    ),
    trained=("adapter", "mask_decoder"),
)


def released(midlays: tuple[MidLay, ...], width: int = 32) -> SamVariant:
    """The adapter of the public code, trained as it trains it."""
    return SamVariant(
        system="sam",
        adapter=AtlReleasedAdapter(kind="atl-released", midlays=midlays, width=width),
        trained=("adapter", "mask_decoder", "no_mask_embedding"),
    )


RELEASED: dict[str, SamVariant] = {
    "translandseg-released": released(("m",)),
    "translandseg-released-m2": released(("m", "m")),
    "translandseg-released-c3": released(("c", "c", "c")),
}

DECODER_ONLY = SamVariant(system="sam", adapter=NoAdapter(kind="none"), trained=("mask_decoder",))
