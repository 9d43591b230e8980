"""``ablate predict``: masks and maps from a trained row."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ablate.cli import options
from ablate.cli.bars import bars_of
from ablate.cli.console import err, out, print_error
from ablate.errors import BadInput, ExitCode
from ablate.runs import shown
from ablate.study.predict import chosen_devices, predict_row
from ablate.study.trained_rows import find_trained

if TYPE_CHECKING:
    from ablate.predict import SceneOutcome, ScenePlan, TrainedModel


def predict(
    scenes: Annotated[
        list[Path],
        typer.Argument(
            metavar="SCENE…",
            help="Rasters (GeoTIFF and what else GDAL reads), photographs (PNG, JPEG), and folders "
            "of them.",
        ),
    ],
    folder: Annotated[Path, options.out_option("The folder of the maps; it is made if need be.")],
    grid: options.OneGrid = None,
    row: options.Row = None,
    run: options.RunKey = None,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            envvar="ABLATE_EXPORT",
            callback=options.expand,
            help="An export of `ablate export`, instead of a row of the store.",
            show_default=False,
        ),
    ] = None,
    checkpoint: options.CheckpointPath = None,
    device: options.ComputingDevices = None,
    resolution: Annotated[
        str | None,
        typer.Option(
            envvar="ABLATE_RESOLUTION",
            metavar="METRES",
            help="Resample rasters to this ground resolution; training: to that of the training "
            "images at the model's size. [default: their own]",
            show_default=False,
        ),
    ] = None,
    window_overlap: Annotated[
        int,
        typer.Option(
            envvar="ABLATE_WINDOW_OVERLAP",
            metavar="PERCENT",
            help="How much neighbouring windows share, 0 to 45 percent of their side.",
        ),
    ] = 25,
    polygons: Annotated[
        bool, typer.Option(envvar="ABLATE_POLYGONS", help="Write a layer of polygons of rasters.")
    ] = True,
    min_area: Annotated[
        float,
        typer.Option(
            envvar="ABLATE_MIN_AREA",
            metavar="M2",
            help="Leave out smaller polygons: in m², or in pixels without a coordinate system.",
        ),
    ] = 0.0,
    simplify: Annotated[
        float,
        typer.Option(
            envvar="ABLATE_SIMPLIFY",
            metavar="PIXELS",
            help="How far a polygon's outline may move.",
        ),
    ] = 1.0,
    store: options.StorePath = options.DEFAULT_STORE,
) -> None:
    """Segment scenes with a trained row: masks, probabilities, polygons and quick looks.

    Rasters of any size are read by overlapping windows, in bounded memory, and keep their
    coordinate system; photographs are resized as the training images were. All finished seeds of
    the row are used: their mean is the probability, their disagreement a band of its own. Killed,
    the same command continues; finished scenes are left alone.
    """
    if export is not None and (row is not None or run is not None):
        raise BadInput("--export and a row or a run name two models", "give one")
    # It loads torch.
    from ablate.predict import MapSettings

    settings = MapSettings(_metres(resolution), window_overlap, polygons, min_area, simplify)
    source = export if export is not None else find_trained(store, grid, row, run)
    with bars_of("windows", "what is finished") as bars:
        # One bar, of one scene after the other: there may be thousands.
        bar = bars.add_task("", visible=False)
        begun: dict[int, str] = {}
        names: list[str] = []

        def announce(plan: "ScenePlan", models: "Sequence[TrainedModel]") -> None:
            names.extend(shown(path.name) for path in plan.paths)
            for line in (*plan.notes, _described(models)):
                say(line)

        def say(line: str) -> None:
            err.print(line, soft_wrap=True)

        def advance(scene: int, done: int, total: int) -> None:
            number = begun.setdefault(scene, f"scene {len(begun) + 1} of {len(names)}")
            description = f"{names[scene]} ({number})" if len(names) > 1 else names[scene]
            bars.update(bar, description=description, completed=done, total=total, visible=True)

        outcomes = predict_row(
            source,
            scenes,
            folder,
            settings,
            checkpoint=checkpoint,
            devices=chosen_devices(device or ()),
            announce=announce,
            advance=advance,
            say=say,
        )
    for outcome in outcomes:
        _print(outcome)
    if any(outcome.problem for outcome in outcomes):
        raise typer.Exit(ExitCode.RUN_FAILED)


def _metres(text: str | None) -> float | Literal["training"] | None:
    if text is None:
        return None
    if text == "training":
        return "training"
    try:
        return float(text)
    except ValueError:
        raise BadInput(
            f"--resolution {shown(text)} is not a number of metres", "give 0.8, or training"
        ) from None


def _described(models: "Sequence[TrainedModel]") -> str:
    spec = models[0].spec
    seeds = ", ".join(str(model.spec.seed) for model in models)
    what = f"seed {seeds}" if len(models) == 1 else f"the mean of seeds {seeds}"
    watermark = spec.context.watermark
    return f"{spec.label}, {what}" + (f" · {watermark}" if watermark else "")


def _print(outcome: "SceneOutcome") -> None:
    if outcome.problem is not None:
        print_error(outcome.problem)
        return
    percent = outcome.positive_percent
    parts = ["no data at all" if percent is None else f"{percent:.2f} % positive"]
    if outcome.polygons is not None:
        parts.append(f"{outcome.polygons:,} polygon{'' if outcome.polygons == 1 else 's'}")
    if outcome.was_done:
        parts.append("done before")
    names = ", ".join(shown(path.name) for path in outcome.files)
    out.print(f"{shown(outcome.path)}: {', '.join(parts)} → {names}", soft_wrap=True)
