"""The values that the paper printed, as data: ``reports/published/NAME.yaml``."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ablate.errors import SpecError
from ablate.registry import named_files, nearest, read, search_path, validated
from ablate.spec import BackboneName, Frozen, MetricName

# What a table means by precision, recall and F1: means over the two classes, or the scores of the
# positive class alone.
Convention = Literal["class-means", "positive-class"]
# The metrics whose meaning depends on it, by convention: precision, recall, F1.
METRICS_OF: dict[Convention, tuple[MetricName, MetricName, MetricName]] = {
    "class-means": ("precision", "recall", "f1"),
    "positive-class": ("positive_precision", "positive_recall", "positive_f1"),
}


def _is_quoted(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError(f"{value} is a bare number; quote it, with the decimals that were printed")
    return value


# A text: as a number, 87.40 would forget that it was printed with two decimals.
Printed = Annotated[str, BeforeValidator(_is_quoted), Field(pattern=r"^\d+(\.\d+)?$")]


class Source(Frozen):
    """Where values were printed.

    Attributes:
        paper: The paper's title and where it is found.
        table: The table's number.
        caption: What the paper writes over the table.
    """

    paper: str
    table: str
    caption: str


class StructureColumn(Frozen):
    """A column of the table that shows a property of the variant.

    Attributes:
        heading: What the paper prints over it.
        mark: The value that is shown as a mark (all others as its absence); None: the value itself
            is shown.
    """

    heading: str
    mark: str | None = None


class ScoreRow(Frozen):
    """One printed row of scores.

    Attributes:
        label: The paper's name of the model.
        values: What is printed, by metric; what the paper leaves out is not there.
    """

    label: str
    values: dict[MetricName, Printed]


class ScoreTable(Frozen):
    """A table of scores (the paper's Tables I, II and IV).

    Attributes:
        kind: What the table holds.
        source: Where it was printed.
        data: The data set that was scored.
        validation_images: Of how many images the pixels were pooled; None: unknown.
        unit: Of all scores.
        convention: What precision, recall and F1 mean. ``class-means``: precision and recall are
            means over the positive class and the background, F1 is their harmonic mean;
            ``positive-class``: they are those of the positive class alone.
        rounding: How the paper rounds, in words.
        structure: The columns that show what a row is, by column of ``variant.columns()``.
        implied: Columns of ``variant.columns()`` that the paper leaves out because another one
            implies them; they are not shown as long as that is so in the rows at hand.
        metrics: The heading of each column of scores, by metric, in the paper's order.
        parameters: The published table with the parameters of the same models; None: there is
            none.
        rows: By variant or system.
    """

    kind: Literal["scores"]
    source: Source
    data: str
    validation_images: int | None = Field(default=None, ge=2)
    unit: Literal["percent"]
    convention: Convention
    rounding: str
    structure: dict[str, StructureColumn] = Field(default_factory=dict)
    implied: dict[str, str] = Field(default_factory=dict)
    metrics: dict[MetricName, str] = Field(min_length=1)
    parameters: str | None = None
    rows: dict[str, ScoreRow]

    @model_validator(mode="after")
    def _columns_follow_the_convention(self) -> "ScoreTable":
        for convention, names in METRICS_OF.items():
            if convention != self.convention and (wrong := [n for n in names if n in self.metrics]):
                right = ", ".join(METRICS_OF[self.convention])
                raise ValueError(
                    f"convention {self.convention} does not go with metrics {', '.join(wrong)}; "
                    f"name {right}"
                )
        for name, row in self.rows.items():
            if unknown := [metric for metric in row.values if metric not in self.metrics]:
                raise ValueError(
                    f"row {name} has values of {', '.join(unknown)}, which metrics does not name; "
                    "add a heading"
                )
        return self


class ParameterRow(Frozen):
    """One printed row of parameter counts, in millions.

    Attributes:
        label: The paper's name of the model.
        backbone: The SAM that the paper builds on; None: not a SAM.
        total: All parameters.
        trainable: Those that are trained.
        interpretations: Variants that the printed name may stand for, each with the reason why its
            parameters do or do not round to the printed ones.
    """

    label: str
    backbone: BackboneName | None = None
    total: Printed
    trainable: Printed
    interpretations: dict[str, str] = Field(min_length=1)


class ParameterTable(Frozen):
    """A table of parameter counts (the paper's Table III).

    Attributes:
        kind: What the table holds.
        source: Where it was printed.
        unit: Of all counts: 10^6.
        rounding: How the paper rounds, in words.
        rows: By variant or system.
    """

    kind: Literal["parameters"]
    source: Source
    unit: Literal["million"]
    rounding: str
    rows: dict[str, ParameterRow]


PublishedTable = ScoreTable | ParameterTable


def published_names() -> list[str]:
    """The names of all published tables that can be found, in natural order."""
    return list(_files())


def load_published(name: str) -> PublishedTable:
    """Reads a published table: the working folder's ``reports/published`` first, then ablate's.

    Raises:
        SpecError: If there is no such table, or its file breaks rules.
    """
    files = _files()
    if name not in files:
        known = ", ".join(published_names()) or "none"
        raise SpecError([f"no published table {name!r}{nearest(name, files)}; there are: {known}"])
    document = read(files[name])
    if document.value.get("kind") == "parameters":
        return validated(ParameterTable, document)
    return validated(ScoreTable, document)


def score_tables() -> dict[str, ScoreTable]:
    """Every published table of scores that can be found, by name.

    Raises:
        SpecError: If a file breaks rules.
    """
    tables = {name: load_published(name) for name in published_names()}
    return {name: table for name, table in tables.items() if isinstance(table, ScoreTable)}


def load_scores(name: str) -> ScoreTable:
    """A published table of scores.

    Raises:
        SpecError: As load_published, or if the table holds parameter counts.
    """
    table = load_published(name)
    if not isinstance(table, ScoreTable):
        raise SpecError([f"published table {name!r} holds parameters; name a table of scores"])
    return table


def load_parameters(name: str) -> ParameterTable:
    """A published table of parameter counts.

    Raises:
        SpecError: As load_published, or if the table holds scores.
    """
    table = load_published(name)
    if not isinstance(table, ParameterTable):
        raise SpecError([f"published table {name!r} holds scores; name a table of parameters"])
    return table


def _files() -> dict[str, Path]:
    return named_files(search_path("reports/published"))
