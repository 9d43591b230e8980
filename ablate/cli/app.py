"""The commands, each a thin function in a module of its own."""

from typing import Annotated

import typer

import ablate
from ablate.cli import doctor, mlflow, plan, published, report, run, status, variants

app = typer.Typer(
    name="ablate",
    help="Which part of the adapter earns its keep? Trains the variants of an ablation study on a "
    "frozen Segment Anything Model and prints the paper's table.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(run.run)
app.command()(plan.plan)
app.command()(status.status)
app.command()(report.report)
app.add_typer(variants.app, name="variants")
app.add_typer(published.app, name="published")
app.command()(mlflow.ui)
app.command()(mlflow.sync)
app.command()(doctor.doctor)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"ablate {ablate.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    pass
