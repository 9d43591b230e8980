"""From a setting to the protocol and the variant that it means, and which fields can be tuned."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ValidationError

from ablate.errors import BadInput, SpecError
from ablate.registry import Catalogue
from ablate.runs import Setting
from ablate.spec import AnyVariant, Domain, Protocol, Scalar, Split, Tuning, Variant
from ablate.tune.space import Space

# Of the protocol: what decides on which images, with which encoder and on what grid scores are
# taken, or how they are computed. Of the variant: what makes a row this row.
_FIXED = {
    "name": "it is a name",
    "overrides": "it is a name",
    "published_split": "it belongs to the published values",
    "task": "scores of different tasks cannot be compared",
    "data": "scores on different images cannot be compared",
    "split": "scores on different images cannot be compared",
    "image_size_px": "scores at different sizes cannot be compared",
    "backbone": "all trials share one image encoder",
    "precision": "it belongs to the machine",
    "compile": "it belongs to the machine",
    "system": "it makes the row another row",
    "label": "it is a name",
    "encoder_weights": "it makes the row another row",
    "trained": "it makes the row another row",
}
# Combinations of ends that are looked at; of more, every end by itself.
_MOST_CORNERS = 256


@dataclass(frozen=True)
class Settings:
    """Makes specs from settings.

    Attributes:
        catalogue: Where the protocol is read from.
        protocol: The sweep's protocol, with the data that was found.
        rows: The rows that are trained, by name.
        tuning: What is tuned.
    """

    catalogue: Catalogue
    protocol: Protocol
    rows: Mapping[str, Variant]
    tuning: Tuning

    @cached_property
    def shared(self) -> frozenset[str]:
        """The fields of the protocol."""
        return frozenset(name for name in self.tuning.space if has_field(self.protocol, name))

    def fields_of(self, row: str) -> frozenset[str]:
        """The fields that a row has: those of the protocol and its own."""
        own = (name for name in self.tuning.space if has_field(self.rows[row], name))
        return self.shared | frozenset(own)

    @cached_property
    def space(self) -> Space:
        """All fields, and whether each takes whole numbers."""
        return {
            name: (domain, self._is_whole(name, domain))
            for name, domain in self.tuning.space.items()
        }

    def space_of(self, row: str) -> Space:
        """The fields that a row has."""
        fields = self.fields_of(row)
        return {name: how for name, how in self.space.items() if name in fields}

    def setting_of(self, row: str, setting: Setting) -> Setting:
        """What of a setting is applied to a row."""
        fields = self.fields_of(row)
        return {name: value for name, value in setting.items() if name in fields}

    def protocol_of(self, setting: Setting, split: Split) -> Protocol:
        """The protocol with a setting, as ``--set`` would give it, on a split.

        Raises:
            SpecError: If a value breaks the protocol's rules.
        """
        given = {name: value for name, value in setting.items() if name in self.shared}
        overrides = [
            text for text in self.protocol.overrides if text.partition("=")[0].strip() not in given
        ]
        overrides += [f"{name}={json.dumps(value)}" for name, value in given.items()]
        made = self.catalogue.protocol(self.protocol.name, overrides)
        return made.model_copy(update={"data": self.protocol.data, "split": split})

    def variant_of(self, row: str, setting: Setting) -> Variant:
        """A row's variant with a setting.

        Raises:
            SpecError: If a value breaks the variant's rules.
        """
        variant = self.rows[row]
        given = {
            name: value
            for name, value in setting.items()
            if name not in self.shared and has_field(variant, name)
        }
        if not given:
            return variant
        content = variant.model_dump(exclude_unset=True)
        for name, value in given.items():
            *parents, last = name.split(".")
            below: dict[str, Any] = content
            for parent in parents:
                below = below[parent]
            below[last] = value
        try:
            return AnyVariant.model_validate(content).root
        except ValidationError as error:
            told = "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())
            words = ", ".join(f"{name}={json.dumps(value)}" for name, value in given.items())
            raise SpecError([f"row {row} with {words}: {told}; correct tune.space"]) from error

    def check(self) -> None:
        """Looks whether every field exists, may be tuned, and takes the ends of its range.

        Raises:
            SpecError: If one does not.
        """
        problems = [
            problem for name in self.tuning.space if (problem := self._problem_of(name)) is not None
        ]
        if not problems:
            problems = list(dict.fromkeys(self._refusals()))
        if problems:
            raise SpecError([f"tune.space: {problem}" for problem in problems])

    def _problem_of(self, name: str) -> str | None:
        first, last = name.partition(".")[0], name.rpartition(".")[2]
        reason = _FIXED.get(first) or ("it makes the row another row" if last == "kind" else None)
        if reason is not None:
            return f"{name} cannot be tuned: {reason}; remove it"
        models = (self.protocol, *self.rows.values())
        values = [value_of(model, name) for model in models if has_field(model, name)]
        if not values:
            return (
                f"{name} is a field neither of protocol {self.protocol.name} nor of any row; "
                "correct or remove it"
            )
        if not any(value is None or isinstance(value, Scalar) for value in values):
            return f"{name} is not a single value; name one of its fields, or remove it"
        return None

    def _refusals(self) -> list[str]:
        """What the rules of protocol and variants say to the ends of the ranges."""
        names = list(self.tuning.space)
        ends = [self.tuning.space[name].values for name in names]
        corners: Sequence[tuple[Scalar, ...]] = []
        count = 1
        for values in ends:
            count *= len(values)
        if count <= _MOST_CORNERS:
            corners = list(itertools.product(*ends))
        settings: list[Setting] = [dict(zip(names, corner, strict=True)) for corner in corners]
        settings += [
            {name: value} for name, values in zip(names, ends, strict=True) for value in values
        ]
        problems: list[str] = []
        for setting in settings:
            try:
                self.protocol_of(setting, self.protocol.split)
                for row in self.rows:
                    self.variant_of(row, setting)
            except SpecError as error:
                problems += error.problems
        return problems

    def _is_whole(self, name: str, domain: Domain) -> bool:
        ends = [end for end in (domain.low, domain.high, domain.step) if end is not None]
        models = (self.protocol, *self.rows.values())
        values = [value_of(model, name) for model in models if has_field(model, name)]
        return all(isinstance(end, int) for end in ends) and not any(
            isinstance(value, float) for value in values
        )


def tuning_of(tuning: Tuning | None, sweep: str) -> Tuning:
    """The sweep's section ``tune``.

    Raises:
        BadInput: If it has none.
    """
    if tuning is None:
        raise BadInput(
            f"sweep {sweep} does not say what to tune",
            "add to its file, for example: "
            "tune: {space: {optimizer.lr: {low: 1e-4, high: 1e-2, log: true}}}",
        )
    return tuning


def has_field(model: BaseModel, name: str) -> bool:
    """Whether a dotted name is a field of a spec as it is."""
    at: Any = model
    for part in name.split("."):
        if not isinstance(at, BaseModel) or part not in type(at).model_fields:
            return False
        at = getattr(at, part)
    return True


def value_of(model: BaseModel, name: str) -> Any:
    """The value of a field that is there."""
    at: Any = model
    for part in name.split("."):
        at = getattr(at, part)
    return at
