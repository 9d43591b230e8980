"""Parameter-efficient methods of Hugging Face's peft on the linear layers of SAM."""

from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator

from ablate.spec.frozen import Cell, Frozen
from ablate.spec.sites import Sites, sites_phrase, sites_text

# Wider than any layer of SAM by far; absurd values are refused before memory runs out.
MAX_RANK = 65_536

PeftMethod = Literal["lora", "dora", "ia3", "loha", "lokr", "hira", "delora", "miss"]
PeftTarget = Literal["q", "k", "v", "proj", "lin1", "lin2"]


class _Method(NamedTuple):
    """What peft knows a method by, for people.

    Attributes:
        label: As its authors write it.
        takes: The fields that it has; others are refused.
    """

    label: str
    takes: tuple[str, ...]


_METHODS: dict[PeftMethod, _Method] = {
    "lora": _Method("LoRA", ("rank", "alpha")),
    "dora": _Method("DoRA", ("rank", "alpha")),
    "ia3": _Method("IA³", ()),
    "loha": _Method("LoHa", ("rank", "alpha")),
    "lokr": _Method("LoKr", ("rank", "alpha")),
    "hira": _Method("HiRA", ("rank",)),
    "delora": _Method("DeLoRA", ("rank",)),
    "miss": _Method("MiSS", ("rank",)),
}
_DEFAULT_RANK = 8


class PeftAdapter(Frozen):
    """A method of Hugging Face's peft (extra ``peft``) on SAM's linear layers.

    SAM's fused ``qkv`` is split into three layers q, k and v first. All methods start as SAM's own
    function, and all can be merged into SAM's weights.

    Attributes:
        kind: The discriminator.
        method: Which method: LoRA (Hu et al. 2022), DoRA (Liu et al. 2024), IA³ (Liu et al. 2022),
            LoHa and LoKr (LyCORIS), HiRA, DeLoRA or MiSS, as peft has them.
        rank: The rank of what is added to a weight; None: 8. IA³ has none.
        alpha: What is added is multiplied by alpha / rank; None: alpha is the rank. Of LoRA, DoRA,
            LoHa and LoKr.
        target: The layers: ``q``, ``k``, ``v`` and ``proj`` of every attention (``proj`` is its
            output), ``lin1`` and ``lin2`` of every MLP. IA³ scales the inputs of ``lin2``, and the
            outputs of all others.
        on: The image encoder, the mask decoder, or both. The mask decoder is then not trained
            itself: ``mask_decoder`` is not in ``trained``.
        sites: ``all`` blocks of the image encoder, its ``late`` half, or a list of blocks, counted
            from 0. The mask decoder is always adapted as a whole.
    """

    # Each is an extra of ablate's under its own name.
    packages: ClassVar[tuple[str, ...]] = ("peft",)

    kind: Literal["peft"]
    method: PeftMethod
    rank: int | None = Field(default=None, ge=1, le=MAX_RANK)
    alpha: int | None = Field(default=None, ge=1, le=MAX_RANK)
    target: tuple[PeftTarget, ...] = Field(min_length=1)
    on: Literal["encoder", "decoder", "both"] = "encoder"
    sites: Sites = "all"

    @model_validator(mode="after")
    def _fields_fit_the_method(self) -> "PeftAdapter":
        method = _METHODS[self.method]
        for field in ("rank", "alpha"):
            if getattr(self, field) is not None and field not in method.takes:
                has = " and ".join(method.takes) or "no such field"
                raise ValueError(f"{method.label} has no {field}, it has {has}; remove {field}")
        if len(set(self.target)) != len(self.target):
            raise ValueError("target lists a layer twice; list each once")
        if self.on == "decoder" and self.sites != "all":
            raise ValueError(
                "sites names blocks of the image encoder, and on is decoder; remove sites"
            )
        return self

    @property
    def effective_rank(self) -> int:
        """The rank; of no meaning where the method has none."""
        return self.rank or _DEFAULT_RANK

    @property
    def effective_alpha(self) -> int:
        """The numerator of the factor alpha / rank."""
        return self.alpha or self.effective_rank

    def _sizes(self) -> dict[str, int]:
        """The numbers that the method has."""
        takes = _METHODS[self.method].takes
        return {field: getattr(self, f"effective_{field}") for field in takes}

    def identity(self) -> dict[str, Any]:
        """What decides the function that is trained; two spellings of one adapter agree."""
        return {
            "kind": self.kind,
            "method": self.method,
            **self._sizes(),
            "target": sorted(self.target),
            "on": self.on,
            "sites": self.sites if isinstance(self.sites, str) else sorted(self.sites),
        }

    def columns(self) -> dict[str, Cell]:
        """What sets this adapter apart from others of its kind, by column of a table."""
        sizes = self._sizes()
        return {
            "method": _METHODS[self.method].label,
            "rank": sizes.get("rank"),
            "alpha": sizes.get("alpha"),
            "target": " ".join(self.target),
            "on": self.on,
            "sites": sites_text(self.sites),
        }

    def describe(self) -> str:
        """One line."""
        words = {"encoder": "image encoder", "decoder": "mask decoder", "both": "whole SAM"}
        sizes = "".join(f", {name} {size}" for name, size in self._sizes().items())
        return (
            f"{_METHODS[self.method].label} on {', '.join(self.target)} of the {words[self.on]}"
            f"{sizes}{sites_phrase(self.sites)}"
        )
