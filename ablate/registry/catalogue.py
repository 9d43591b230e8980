"""The catalogue: variants, sweeps and protocols by name, read from YAML and validated."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from ablate.errors import SpecError
from ablate.registry.places import NAME, misnamed, named_files, search_path
from ablate.registry.problems import nearest, validated
from ablate.registry.rows import (
    combination_name,
    combinations,
    duplicate_line,
    factors_place,
    nested,
    row_problems,
)
from ablate.registry.source import Document, Place, shortened, shown, shown_value
from ablate.registry.yaml_reader import limited, parse_value, read
from ablate.spec import (
    AnyVariant,
    BackboneName,
    Match,
    Protocol,
    SamVariant,
    Sweep,
    Variant,
    canonical_json,
)

# What a variant does not take over from the one that it extends.
_NOT_INHERITED = ("label", "extends")
# The longest chain of `extends`. A longer one cannot be followed by a reader.
MAX_EXTENDS = 20
# Keys that files do not have, and why.
_RESERVED = {
    "name": "'name' is the file's own name; remove the key",
    "overrides": "'overrides' is what --set gives; remove the key",
}
# What --set cannot give: the first two as above, and the last because an altered recipe is not the
# one that the published values are based on.
_NOT_SET = ("name", "overrides", "published_split")
# Of names that exist, where an unknown one is like none of them.
_MAX_LIST_CHARACTERS = 1_000
_Found = TypeVar("_Found")


class Catalogue:
    """Everything that can be run, by name, as the files are when they are first read.

    Args:
        variants: Folders of variants; the first that has a name wins.
        sweeps: Folders of sweeps, with a folder ``protocols`` in each.
        published: Folders of published tables, of which only the names are checked here.
    """

    def __init__(
        self,
        variants: Sequence[Path] | None = None,
        sweeps: Sequence[Path] | None = None,
        published: Sequence[Path] | None = None,
    ) -> None:
        """Reads nothing yet."""
        self._variant_folders = search_path("variants") if variants is None else variants
        self._sweep_folders = search_path("sweeps") if sweeps is None else sweeps
        self._protocol_folders = [folder / "protocols" for folder in self._sweep_folders]
        self._published = search_path("reports/published") if published is None else published
        self._documents: dict[Path, Document] = {}
        self._variants: dict[str, Variant | SpecError] = {}
        self._sweeps: dict[str, tuple[Sweep, Document]] = {}

    # Names --------------------------------------------------------------------------------

    @cached_property
    def variant_files(self) -> dict[str, Path]:
        """Every variant's file, by name, in natural order."""
        return named_files(self._variant_folders)

    @cached_property
    def sweep_files(self) -> dict[str, Path]:
        """Every sweep's file, by name, in natural order."""
        return named_files(self._sweep_folders)

    @cached_property
    def protocol_files(self) -> dict[str, Path]:
        """Every protocol's file, by name, in natural order."""
        return named_files(self._protocol_folders)

    def hidden(self) -> dict[str, Path]:
        """Files that are never read, because a file of an earlier folder has the same name.

        Returns:
            By ``variant NAME``, ``sweep NAME`` or ``protocol NAME``, the file that is hidden.
        """
        hidden: dict[str, Path] = {}
        for what, folders, files in (
            ("variant", self._variant_folders, self.variant_files),
            ("sweep", self._sweep_folders, self.sweep_files),
            ("protocol", self._protocol_folders, self.protocol_files),
        ):
            for folder in folders:
                for name, path in named_files([folder]).items():
                    used = files[name]
                    if path != used and path.resolve() != used.resolve():
                        hidden.setdefault(f"{what} {name}", path)
        return hidden

    # Specs --------------------------------------------------------------------------------

    def variant(self, name: str) -> Variant:
        """A variant, with what it extends.

        Raises:
            SpecError: If there is no such variant, or it breaks rules.
        """
        if name not in self._variants:
            try:
                self._variants[name] = self._checked_variant(name)
            except SpecError as error:
                self._variants[name] = error
        found = self._variants[name]
        if isinstance(found, SpecError):
            raise SpecError(found.problems)
        return found

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
            document.value |= {"overrides": list(overrides), "published_split": None}
        return validated(Protocol, document)

    def sweep(self, name: str) -> Sweep:
        """A sweep; ``rows`` checks it against its rows.

        Raises:
            SpecError: If there is no such sweep, or it breaks rules.
        """
        if name not in self._sweeps:
            document = self._document("sweep", name, self.sweep_files, ())
            document.value["name"] = name
            self._sweeps[name] = validated(Sweep, document), document
        return self._sweeps[name][0]

    def rows(self, sweep: Sweep | str, backbone: BackboneName) -> dict[str, Variant]:
        """The variants of a sweep, in the order of its table.

        A combination of factors that some variant of the catalogue declares takes its name. Values
        that a ``match`` finds are not found here: that takes the modules
        (``ablate.study.matching``).

        Args:
            sweep: The sweep, or its name.
            backbone: What variants without a backbone of their own are built on.

        Raises:
            SpecError: If a row breaks rules, two rows are the same or have the same label, or the
                sweep names a row, a protocol or a published table that does not exist.
        """
        if isinstance(sweep, str):
            sweep = self.sweep(sweep)
        document = self._document_of(sweep)
        problems = self._name_problems(sweep, document)
        rows: dict[str, Variant] = {}
        for index, name in enumerate(sweep.variants):
            place = document.place(("variants", index))
            if name not in self.variant_files:
                problems.append(f"{place}: {_unknown('variant', name, self.variant_files)}")
            elif variant := _attempt(problems, self.variant, name):
                rows[name] = variant
        if sweep.base is not None and len(rows) == len(sweep.variants):
            problems += self._add_factor_rows(sweep, document, backbone, rows)
        if sweep.match is not None:
            rows = {
                name: row if name == sweep.match.parameters else _with_match(row, sweep.match)
                for name, row in rows.items()
            }
        # A row that is missing for its own problem would only be reported again.
        if not problems:
            problems += row_problems(sweep, document, rows, backbone)
        if problems:
            raise SpecError(limited(problems))
        return rows

    def check(self) -> list[str]:
        """Every problem of every file; empty if all is well."""
        problems = misnamed([*self._variant_folders, *self._sweep_folders, *self._protocol_folders])
        variants: dict[str, Variant] = {}
        for name in self.variant_files:
            if variant := _attempt(problems, self.variant, name):
                variants[name] = variant
        seen: dict[str, str] = {}
        for name, variant in variants.items():
            # None stays None: whether it equals a named backbone is the protocol's choice.
            identity = canonical_json([variant.backbone, variant.identity("vit_l")])
            first = seen.setdefault(identity, name)
            if first != name:
                problems.append(duplicate_line(shown(self.variant_files[name]), first, name))
        protocols: dict[str, Protocol] = {}
        for name in self.protocol_files:
            if protocol := _attempt(problems, self.protocol, name):
                protocols[name] = protocol
        for name in self.sweep_files:
            if sweep := _attempt(problems, self.sweep, name):
                known = protocols.get(sweep.protocol)
                _attempt(problems, self.rows, sweep, known.backbone if known else "vit_l")
        return list(dict.fromkeys(problems))

    # How they are read --------------------------------------------------------------------

    def _checked_variant(self, name: str) -> Variant:
        """The variant of that name, and whether what it is matched to exists, and ends."""
        document = self._variant_document(name)
        variant = validated(AnyVariant, document).root
        chain, place, match = [name], document.place(("match", "parameters")), _match_of(variant)
        while match is not None:
            chain.append(match.parameters)
            if match.parameters not in self.variant_files:
                unknown = _unknown("variant", match.parameters, self.variant_files)
                raise SpecError([f"{place}: {unknown}"])
            if match.parameters in chain[:-1]:
                cycle = " → ".join(chain[chain.index(match.parameters) :])
                raise SpecError([f"{place}: `match` forms a cycle: {cycle}; remove one of them"])
            below = self._variant_document(match.parameters)
            match = _match_of(validated(AnyVariant, below).root)
        return variant

    def _variant_document(self, name: str) -> Document:
        return self._document("variant", name, self.variant_files, ())

    def _document_of(self, sweep: Sweep) -> Document:
        """What the sweep was read from; nothing but its name, if it was made in Python."""
        read_before = self._sweeps.get(sweep.name)
        if read_before and read_before[0] == sweep:
            return read_before[1]
        content = sweep.model_dump(mode="json", exclude_defaults=True)
        return Document(content, {(): Place(f"sweep {sweep.name}", 0)})

    def _document(
        self, what: str, name: str, files: Mapping[str, Path], children: tuple[str, ...]
    ) -> Document:
        """The file of that name, laid over the one that it extends; the caller may alter it."""
        if name not in files:
            raise SpecError([_unknown(what, name, files)])
        path = files[name]
        if path not in self._documents:
            self._documents[path] = read(path)
        document = self._documents[path].copy()
        for key, problem in _RESERVED.items():
            if key in document.value:
                raise SpecError([f"{document.place((key,))}: {problem}"])
        parent = document.value.get("extends")
        if "extends" not in document.value:
            return document
        place = document.place(("extends",))
        chain = (*children, name)
        if not isinstance(parent, str) or not NAME.fullmatch(parent):
            repair = f"give a {what}'s name, not a path"
            raise SpecError([f"{place}: extends is {shown_value(parent)}; {repair}"])
        if len(chain) > MAX_EXTENDS:
            raise SpecError([f"{place}: a chain of more than {MAX_EXTENDS} `extends`; shorten it"])
        if parent in chain:
            cycle = " → ".join((*chain[chain.index(parent) :], parent))
            raise SpecError([f"{place}: `extends` forms a cycle: {cycle}; remove one of them"])
        if parent not in files:
            raise SpecError([f"{place}: {_unknown(what, parent, files)}"])
        below = self._document(what, parent, files, chain)
        for key in _NOT_INHERITED:
            below.value.pop(key, None)
        merged = document.over(below)
        del merged.value["extends"]
        return merged

    def _name_problems(self, sweep: Sweep, document: Document) -> list[str]:
        """What a sweep names besides its rows and does not exist, or breaks rules."""
        problems: list[str] = []
        if sweep.protocol not in self.protocol_files:
            unknown = _unknown("protocol", sweep.protocol, self.protocol_files)
            problems.append(f"{document.place(('protocol',))}: {unknown}")
        if sweep.match is not None:
            place = document.place(("match", "parameters"))
            if sweep.match.parameters not in self.variant_files:
                unknown = _unknown("variant", sweep.match.parameters, self.variant_files)
                problems.append(f"{place}: {unknown}")
            else:
                _attempt(problems, self.variant, sweep.match.parameters)
        if sweep.published is not None:
            tables = named_files(self._published)
            place = document.place(("published",))
            if sweep.published not in tables:
                unknown = _unknown("published table", sweep.published, tables)
                problems.append(f"{place}: {unknown}")
            else:
                table = _attempt(problems, read, tables[sweep.published])
                if table is not None and table.value.get("kind") != "scores":
                    problem = f"published table {sweep.published!r} does not hold scores"
                    problems.append(f"{place}: {problem}; name a table of scores")
        return problems

    def _add_factor_rows(
        self, sweep: Sweep, document: Document, backbone: BackboneName, rows: dict[str, Variant]
    ) -> list[str]:
        """Adds the combinations of the sweep's factors to ``rows``; returns the problems."""
        if sweep.base not in self.variant_files:
            unknown = _unknown("variant", str(sweep.base), self.variant_files)
            return [f"{document.place(('base',))}: {unknown}"]
        known = self._names_by_identity(backbone)
        base = self._variant_document(sweep.base)
        base.value.pop("label", None)
        problems: list[str] = []
        names: dict[str, str] = {}
        for combination in combinations(sweep, document):
            row = base.copy()
            for factor, value in combination.items():
                place = document.place(("factors" if factor in sweep.factors else "zip", factor))
                row = nested(factor, value, place).over(row)
            row.places[()] = factors_place(document)
            variant = _attempt(problems, lambda row=row: validated(AnyVariant, row).root)
            if variant is None:
                continue
            words = combination_name(combination)
            name = known.get(canonical_json(variant.identity(backbone)), words)
            if name in names:
                problems.append(duplicate_line(factors_place(document), names[name], words))
                continue
            names[name] = words
            if name not in rows:
                rows[name] = self.variant(name) if name in self.variant_files else variant
        return problems

    def _names_by_identity(self, backbone: BackboneName) -> dict[str, str]:
        """Names of the catalogue's variants; files that break rules are reported elsewhere."""
        names: dict[str, str] = {}
        for name in self.variant_files:
            if variant := _attempt([], self.variant, name):
                names.setdefault(canonical_json(variant.identity(backbone)), name)
        return names


def _match_of(variant: Variant) -> Match | None:
    return variant.match if isinstance(variant, SamVariant) else None


def _with_match(variant: Variant, match: Match) -> Variant:
    return variant.with_match(match) if isinstance(variant, SamVariant) else variant


def _attempt(problems: list[str], find: Callable[..., _Found], *args: Any) -> _Found | None:
    """What ``find`` returns; None if it raises, its problems then added to ``problems``."""
    try:
        return find(*args)
    except SpecError as error:
        problems += error.problems
        return None


def _unknown(what: str, name: str, files: Mapping[str, Path]) -> str:
    known = shortened(", ".join(files) or "none", _MAX_LIST_CHARACTERS)
    repair = nearest(name, files) or f"; there are {known}"
    return f"no {what} is called {shortened(name)!r}{repair}"


def _override(text: str) -> Document:
    """``KEY=VALUE`` of the command line as a document."""
    key, equals, value = text.partition("=")
    place = Place(f"--set {shortened(text)}", 0)
    if not equals or not key:
        raise SpecError([f"{place}: give KEY=VALUE, such as --set epochs=3"])
    if key.strip().partition(".")[0] in _NOT_SET:
        problem = f"{key.strip()} cannot be set"
        raise SpecError([f"{place}: {problem}; write a protocol of your own that extends this one"])
    return nested(key.strip(), parse_value(value, place), place)
