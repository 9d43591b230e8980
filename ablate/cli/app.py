"""The commands: listed here, each a thin function in a module that is imported when it is used."""

from collections.abc import Iterator
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import ablate
from ablate.cli.config import default_map, read_settings
from ablate.errors import Interrupted


class Listed(NamedTuple):
    """A command as ``ablate --help`` lists it."""

    place: str
    """Its function or its ``typer.Typer``, as ``module:attribute``."""
    summary: str
    """The first line of its own help, which is not read before the command is used."""


COMMANDS = {
    "run": Listed(
        "ablate.cli.run:run",
        "Train every run of the sweep that is not done yet. Stopped or killed, it continues.",
    ),
    "tune": Listed(
        "ablate.cli.tune:tune",
        "Try settings for every row on its training images; train each row's best anew.",
    ),
    "plan": Listed(
        "ablate.cli.plan:plan",
        "Show what would run, what is done and how it would be grouped. Starts and writes nothing.",
    ),
    "status": Listed(
        "ablate.cli.status:status",
        "Show the state of every run: done, running, interrupted, failed, diverged or new.",
    ),
    "logs": Listed(
        "ablate.cli.logs:logs",
        "Show all that is known of a run: attempts, why it failed, the end of its worker's log.",
    ),
    "cancel": Listed(
        "ablate.cli.cancel:cancel",
        "Ask the processes that train in the store to save their state and to end.",
    ),
    "report": Listed(
        "ablate.cli.report:report",
        "Write the sweep's table, reproduced beside published, and print it.",
    ),
    "check": Listed(
        "ablate.cli.check:check",
        "Check whether the runs support each claim of the sweep. Starts and writes nothing.",
    ),
    "verify": Listed(
        "ablate.cli.verify:verify",
        "Recompute every number from the raw pixels of every image, and name what differs.",
    ),
    "bundle": Listed(
        "ablate.cli.bundle:bundle",
        "Pack a sweep into one archive that others can check: `ablate verify FILE.zip`.",
    ),
    "predict": Listed(
        "ablate.cli.predict:predict",
        "Segment scenes with a trained row: masks, probabilities, polygons and quick looks.",
    ),
    "export": Listed(
        "ablate.cli.export:export",
        "Export a trained row: weights, specs and a model card whose numbers come from the report.",
    ),
    "evaluate": Listed(
        "ablate.cli.evaluate:evaluate",
        "Score trained rows on other data sets: a table of rows × data sets, kept in the store.",
    ),
    "merge": Listed(
        "ablate.cli.merge:merge",
        "Join the stores of several machines into one, or say why they cannot be joined.",
    ),
    "gc": Listed(
        "ablate.cli.gc:gc",
        "List what no sweep of the store names or needs any more; with --remove, remove it.",
    ),
    "variants": Listed(
        "ablate.cli.variants:app", "The catalogue: list, draw, check and count variants."
    ),
    "data": Listed("ablate.cli.data:app", "Data sets: check and convert them."),
    "published": Listed("ablate.cli.published:app", "The published values: check them."),
    "ui": Listed(
        "ablate.cli.mlflow:ui",
        "Browse the store's runs in MLflow's user interface, on this machine alone by default.",
    ),
    "sync": Listed(
        "ablate.cli.mlflow:sync", "Rebuild or complete the MLflow mirror from the runs' folders."
    ),
    "doctor": Listed(
        "ablate.cli.doctor:doctor",
        "Examine Python, packages, devices, catalogue, data, checkpoint, store and MLflow.",
    ),
}


class LazyGroup(TyperGroup):
    """Lists, suggests and completes from COMMANDS; loads only the command that is used."""

    def __init__(self, **settings: Any) -> None:
        """Fills the group with commands that have a name and a summary, and nothing else."""
        super().__init__(**settings)
        for name, listed in COMMANDS.items():
            self.add_command(TyperCommand(name, short_help=listed.summary))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the words begin with, loaded, with the settings as its defaults."""
        name, _, rest = super().resolve_command(ctx, args)
        if name is None:
            return None, None, rest
        command = load(name)
        if not ctx.resilient_parsing:
            # ``ablate --help`` needs no settings, and a shell that completes a word reads none.
            ctx.obj = read_settings()
            ctx.default_map = {name: default_map(command, ctx.obj.options)}
        return name, command, rest

    def make_context(self, *args: Any, **settings: Any) -> Any:
        """Reads the words before the command."""
        with _interruptible():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        with _interruptible():
            return super().invoke(ctx)


@contextmanager
def _interruptible() -> Iterator[None]:
    """A signal is an interruption wherever it comes."""
    try:
        yield
    except KeyboardInterrupt as stop:
        interrupted = Interrupted(f"stopped by {str(stop) or 'Ctrl-C'}")
        for note in getattr(stop, "__notes__", ()):
            interrupted.add_note(note)
        raise interrupted from stop


def load(name: str) -> Any:
    """The command of this name with its options and subcommands, as typer builds it."""
    part = resolve_name(COMMANDS[name].place)
    holder = typer.Typer(add_completion=False, rich_markup_mode=None)
    if not isinstance(part, typer.Typer):
        holder.command(name)(part)
        return get_command(holder)
    holder.add_typer(part, name=name)
    group: Any = get_command(holder)
    for command in group.commands[name].commands.values():
        # Typer would cut it off at the end of the line.
        command.short_help = command.help.splitlines()[0]
    return group.commands[name]


def load_all() -> Any:
    """The whole command line, as typer builds it, with every command loaded."""
    group: Any = get_command(app)
    group.commands = {name: load(name) for name in COMMANDS}
    return group


app = typer.Typer(
    cls=LazyGroup,
    name="ablate",
    help="Which part of the adapter earns its keep? Trains the variants of an ablation study on a "
    "frozen Segment Anything Model and prints the paper's table.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Its boxes take longer to import than all else that `--help` needs, and its markup swallows
    # the square brackets in the help of options.
    rich_markup_mode=None,
)


def _print_version(is_given: bool) -> None:
    if is_given:
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
