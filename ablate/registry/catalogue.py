"""The catalogue: variants, sweeps and protocols by name, read from YAML and validated."""

import itertools
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import RootModel

from ablate.errors import SpecError
from ablate.registry.places import search_path
from ablate.registry.problems import nearest, validated
from ablate.registry.source import Document, Loc, Place, parse_value, read, shown
from ablate.spec import BackboneName, Protocol, Sweep, Variant, canonical_json

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# What a variant does not take over from the one that it extends.
_OWN = ("label", "extends")


class _AnyVariant(RootModel[Variant]):
    """A variant of whatever system its document names."""


class Catalogue:
    """All that can be run, by name.

    Args:
        variants: Folders of variants; the first that has a name wins.
        sweeps: Folders of sweeps, with a folder ``protocols`` in each.
    """

    def __init__(
        self, variants: Sequence[Path] | None = None, sweeps: Sequence[Path] | None = None
    ) -> None:
        """Reads nothing yet."""
        self._variant_folders = search_path("variants") if variants is None else variants
        self._sweep_folders = search_path("sweeps") if sweeps is None else sweeps
        self._protocol_folders = [folder / "protocols" for folder in self._sweep_folders]

    # Names --------------------------------------------------------------------------------

    @cached_property
    def variant_files(self) -> dict[str, Path]:
        """Every variant's file, by name, in natural order."""
        return _files(self._variant_folders)

    @cached_property
    def sweep_files(self) -> dict[str, Path]:
        """Every sweep's file, by name, in natural order."""
        return _files(self._sweep_folders)

    @cached_property
    def protocol_files(self) -> dict[str, Path]:
        """Every protocol's file, by name, in natural order."""
        return _files(self._protocol_folders)

    # Specs --------------------------------------------------------------------------------

    def variant(self, name: str) -> Variant:
        """A variant, with what it extends.

        Raises:
            SpecError: If there is no such variant, or it breaks rules.
        """
        return validated(_AnyVariant, self._variant_document(name)).root

    def protocol(self, name: str, overrides: Sequence[str] = ()) -> Protocol:
        """A protocol, with ``KEY=VALUE`` overrides laid over it.

        Raises:
            SpecError: If there is no such protocol, or it breaks rules.
        """
        document = self._document("protocol", name, self.protocol_files, ())
        for override in overrides:
            document = _override(override).over(document)
        document.value["name"] = name
        if overrides:
            # An altered recipe is not the one that the published values stand on.
            document.value |= {"overrides": list(overrides), "published_split": None}
        return validated(Protocol, document)

    def sweep(self, name: str) -> Sweep:
        """A sweep; its rows are looked at by ``rows``.

        Raises:
            SpecError: If there is no such sweep, or it breaks rules.
        """
        return self._sweep_and_document(name)[0]

    def rows(self, name: str, backbone: BackboneName) -> dict[str, Variant]:
        """The variants of a sweep, in the order of its table.

        A combination of factors that some variant of the catalogue declares takes its name.

        Args:
            name: The sweep's name.
            backbone: What variants without a backbone of their own are built on.

        Raises:
            SpecError: If a row breaks rules, two rows train the same thing, or the sweep
                speaks of a row that it does not have.
        """
        sweep, document = self._sweep_and_document(name)
        problems: list[str] = []
        rows: dict[str, Variant] = {}
        for index, variant in enumerate(sweep.variants):
            if variant not in self.variant_files:
                place = document.place(("variants", index))
                problems.append(f"{place}: {self._unknown('variant', variant, self.variant_files)}")
                continue
            try:
                rows[variant] = self.variant(variant)
            except SpecError as error:
                problems += error.problems
        if sweep.base is not None and not problems:
            problems += self._add_factor_rows(sweep, document, backbone, rows)
        if problems:
            raise SpecError(list(dict.fromkeys(problems)))
        problems = [*_twins(rows, document, backbone), *_strangers(sweep, document, rows)]
        if problems:
            raise SpecError(problems)
        return rows

    def check(self) -> list[str]:
        """Every problem of every file; empty if all is well."""
        problems: list[str] = []
        variants: dict[str, Variant] = {}
        for name in self.variant_files:
            try:
                variants[name] = self.variant(name)
            except SpecError as error:
                problems += error.problems
        for name in self.protocol_files:
            try:
                self.protocol(name)
            except SpecError as error:
                problems += error.problems
        seen: dict[str, str] = {}
        for name, variant in variants.items():
            # None stays None: whether it equals a named backbone is the protocol's choice.
            identity = canonical_json([variant.backbone, variant.identity("vit_l")])
            if identity in seen:
                problems.append(_twin_line(shown(self.variant_files[name]), seen[identity], name))
            seen.setdefault(identity, name)
        for name in self.sweep_files:
            try:
                protocol = self.protocol(self.sweep(name).protocol)
                self.rows(name, protocol.backbone)
            except SpecError as error:
                problems += error.problems
        return list(dict.fromkeys(problems))

    # How they are read --------------------------------------------------------------------

    def _variant_document(self, name: str) -> Document:
        return self._document("variant", name, self.variant_files, ())

    def _sweep_and_document(self, name: str) -> tuple[Sweep, Document]:
        document = self._document("sweep", name, self.sweep_files, ())
        document.value["name"] = name
        return validated(Sweep, document), document

    def _document(
        self, what: str, name: str, files: dict[str, Path], children: tuple[str, ...]
    ) -> Document:
        """The file of that name, laid over the one that it extends."""
        if name not in files:
            raise SpecError([self._unknown(what, name, files)])
        document = read(files[name])
        if "name" in document.value:
            place = document.place(("name",))
            raise SpecError([f"{place}: 'name' is the file's own name; remove the key"])
        if "overrides" in document.value:
            place = document.place(("overrides",))
            raise SpecError([f"{place}: 'overrides' is what --set gives; remove the key"])
        parent = document.value.get("extends")
        if parent is None:
            return document
        place = document.place(("extends",))
        chain = (*children, name)
        if not isinstance(parent, str) or not _NAME.fullmatch(parent):
            raise SpecError([f"{place}: extends is {parent!r}; give a {what}'s name, not a path"])
        if parent in chain:
            circle = " → ".join((*chain[chain.index(parent) :], parent))
            raise SpecError([f"{place}: extends goes in a circle: {circle}; break it"])
        if parent not in files:
            raise SpecError([f"{place}: {self._unknown(what, parent, files)}"])
        below = self._document(what, parent, files, chain)
        for key in _OWN:
            below.value.pop(key, None)
        merged = document.over(below)
        del merged.value["extends"]
        return merged

    @staticmethod
    def _unknown(what: str, name: str, files: dict[str, Path]) -> str:
        repair = nearest(name, files) or f"; there are {', '.join(files) or 'none'}"
        return f"no {what} is called {name!r}{repair}"

    def _add_factor_rows(
        self, sweep: Sweep, document: Document, backbone: BackboneName, rows: dict[str, Variant]
    ) -> list[str]:
        """Adds the combinations of the sweep's factors to ``rows``; returns the problems."""
        if sweep.base not in self.variant_files:
            unknown = self._unknown("variant", str(sweep.base), self.variant_files)
            return [f"{document.place(('base',))}: {unknown}"]
        known = self._known(backbone)
        base = self._variant_document(sweep.base)
        base.value.pop("label", None)
        problems: list[str] = []
        for assignment in _assignments(sweep):
            row = Document(dict(base.value), dict(base.places))
            for factor, value in assignment.items():
                place = document.place(("factors" if factor in sweep.factors else "zip", factor))
                row = _nested(factor, value, place).over(row)
            row.places[()] = document.place(("factors",) if sweep.factors else ("zip",))
            try:
                variant = validated(_AnyVariant, row).root
            except SpecError as error:
                problems += error.problems
                continue
            name = known.get(canonical_json(variant.identity(backbone)))
            if name is None:
                rows[_factor_name(assignment)] = variant
            elif name not in rows:
                rows[name] = self.variant(name)
        return problems

    def _known(self, backbone: BackboneName) -> dict[str, str]:
        """Names of the catalogue's variants by identity; broken files are reported elsewhere."""
        known: dict[str, str] = {}
        for name in self.variant_files:
            try:
                identity = self.variant(name).identity(backbone)
            except SpecError:
                continue
            known.setdefault(canonical_json(identity), name)
        return known


def _files(folders: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders:
        for path in folder.glob("*.yaml"):
            if not _NAME.fullmatch(path.stem):
                rule = "a name holds only letters, digits, '.', '_' and '-'; rename it"
                raise SpecError([f"{shown(path)}: {rule}"])
            found.setdefault(path.stem, path)
    return {name: found[name] for name in sorted(found, key=_natural)}


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts x-2 before x-10, and x before both."""
    return [
        (int(part), "") if part.isdigit() else (-1, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]


def _override(text: str) -> Document:
    """``KEY=VALUE`` of the command line as a document."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SpecError([f"--set {text}: give KEY=VALUE, such as --set epochs=3"])
    try:
        return _nested(key.strip(), parse_value(value), Place(f"--set {text}", 0))
    except yaml.YAMLError as error:
        raise SpecError([f"--set {text}: the value is not YAML; quote it"]) from error


def _nested(dotted: str, value: Any, place: Place) -> Document:
    """``a.b`` = value as a document {a: {b: value}}, all of it standing at ``place``."""
    parts = dotted.split(".")
    for part in reversed(parts):
        value = {part: value}
    places: dict[Loc, Place] = {tuple(parts[:end]): place for end in range(len(parts) + 1)}
    return Document(value, places)


def _assignments(sweep: Sweep) -> list[dict[str, Any]]:
    """Every combination of the factors that is not excluded, the last factor fastest."""
    steps = [
        dict(zip(sweep.zip, values, strict=True))
        for values in zip(*sweep.zip.values(), strict=True)
    ]
    product = [
        dict(zip(sweep.factors, values, strict=True))
        for values in itertools.product(*sweep.factors.values())
    ]
    combined = [cell | step for cell in product for step in steps or [{}]]
    return [
        cell
        for cell in combined
        if not any(
            all(cell[factor] == value for factor, value in excluded.items())
            for excluded in sweep.exclude
        )
    ]


def _factor_name(assignment: dict[str, Any]) -> str:
    """``midlays=m.m,residual=true``: the last part of each factor's path and its value."""
    words = {
        factor: ".".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        for factor, value in assignment.items()
    }
    return ",".join(f"{factor.rpartition('.')[2]}={word}" for factor, word in words.items()).lower()


def _twins(rows: dict[str, Variant], document: Document, backbone: BackboneName) -> list[str]:
    problems = []
    seen: dict[str, str] = {}
    for name, variant in rows.items():
        identity = canonical_json(variant.identity(backbone))
        if identity in seen:
            problems.append(_twin_line(str(document.place(("variants",))), seen[identity], name))
        seen.setdefault(identity, name)
    return problems


def _twin_line(place: str, first: str, second: str) -> str:
    return (
        f"{place}: {first} and {second} train exactly the same thing; "
        "change a field of one, or remove it"
    )


def _strangers(sweep: Sweep, document: Document, rows: dict[str, Variant]) -> list[str]:
    """Names that the sweep speaks of and that are none of its rows."""
    named: list[tuple[Loc, str]] = []
    if sweep.baseline is not None:
        named.append((("baseline",), sweep.baseline))
    for index, comparison in enumerate(sweep.comparisons):
        named.append((("comparisons", index, "better"), comparison.better))
        named += [(("comparisons", index, "worse"), worse) for worse in comparison.worse]
    return [
        f"{document.place(loc)}: {name!r} is no row of this sweep{nearest(name, rows)}"
        for loc, name in named
        if name not in rows
    ]
