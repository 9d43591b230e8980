"""The values that the paper printed, as data: ``reports/published/NAME.yaml``."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ablate.errors import SpecError
from ablate.registry import nearest, read, search_path, validated
from ablate.spec import BackboneName, Frozen


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


class ScoreRow(Frozen):
    """One printed row of scores, in percent.

    Attributes:
        label: The paper's name of the model.
        precision: P.
        recall: REC.
        f1: F1-score.
        overall_accuracy: OA.
        miou: MIoU.
        positive_iou: Landslide-IoU.
    """

    label: str
    precision: Printed
    recall: Printed
    f1: Printed
    overall_accuracy: Printed
    miou: Printed
    positive_iou: Printed


class ScoreTable(Frozen):
    """A table of scores (the paper's Tables I, II and IV).

    Attributes:
        kind: What the table holds.
        source: Where it was printed.
        data: The data set that was scored.
        unit: Of all scores.
        convention: ``class-means``: P and REC are means over landslide and background, F1 is
            their harmonic mean.
        rounding: How the paper rounds, in words.
        parameters: The published table with the parameters of the same models; None: there is
            none.
        rows: By variant or system.
    """

    kind: Literal["scores"]
    source: Source
    data: str
    unit: Literal["percent"]
    convention: Literal["class-means"]
    rounding: str
    parameters: str | None = None
    rows: dict[str, ScoreRow]


class ParameterRow(Frozen):
    """One printed row of parameter counts, in millions.

    Attributes:
        label: The paper's name of the model.
        backbone: The SAM that the paper builds on; None: not a SAM.
        total: All parameters.
        trainable: Those that are trained.
        readings: Variants that the printed name may stand for, each with the reason why its
            parameters do or do not round to the printed ones.
    """

    label: str
    backbone: BackboneName | None = None
    total: Printed
    trainable: Printed
    readings: dict[str, str] = Field(min_length=1)


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


def load_published(name: str) -> PublishedTable:
    """Reads a published table: the working folder's ``reports/published`` first, then ablate's.

    Raises:
        SpecError: If there is no such table, or its file breaks rules.
    """
    files = _files()
    if name not in files:
        known = ", ".join(sorted(files)) or "none"
        raise SpecError(
            [f"no published table {name!r}{nearest(name, files) or f'; there are: {known}'}"]
        )
    document = read(files[name])
    if document.value.get("kind") == "parameters":
        return validated(ParameterTable, document)
    return validated(ScoreTable, document)


def score_tables() -> dict[str, ScoreTable]:
    """Every published table of scores that can be found, by name.

    Raises:
        SpecError: If a file breaks rules.
    """
    tables = {name: load_published(name) for name in sorted(_files())}
    return {name: table for name, table in tables.items() if isinstance(table, ScoreTable)}


def _files() -> dict[str, Path]:
    return {
        path.stem: path
        for folder in reversed(search_path("reports/published"))
        for path in sorted(folder.glob("*.yaml"))
    }


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
