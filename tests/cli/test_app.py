"""What the command line lists before it loads anything, and what it says of unknown words."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from ablate.cli.app import COMMANDS, app, load, load_all
from ablate.errors import ExitCode
from cli.command import ablate, output


@pytest.mark.parametrize("name", COMMANDS)
def test_a_summary_is_the_first_line_of_the_commands_own_help(name: str) -> None:
    listed = get_command(app).commands[name]
    assert listed.get_short_help_str() == load(name).help.splitlines()[0]


def test_help_lists_every_command_with_its_whole_summary(tmp_path: Path) -> None:
    done = ablate(tmp_path, "--help", COLUMNS="80")
    assert done.returncode == 0
    shown = " ".join(done.stdout.split())
    places = [shown.index(f" {name} {listed.summary}") for name, listed in COMMANDS.items()]
    assert places == sorted(places)


def test_help_of_a_group_shows_whole_summaries(tmp_path: Path) -> None:
    done = ablate(tmp_path, "variants", "--help", COLUMNS="80")
    summary = "Draw a variant: its parts with shapes and parameters, and what is trained."
    assert summary in " ".join(done.stdout.split())


def test_help_of_an_option_keeps_its_square_brackets(tmp_path: Path) -> None:
    shown = " ".join(ablate(tmp_path, "run", "--help").stdout.split())
    assert "[default: all GPUs, else the CPU]" in shown
    assert "[env var: ABLATE_STORE; default: ablate-store]" in shown


def test_no_words_show_the_help(tmp_path: Path) -> None:
    bare, helped = ablate(tmp_path), ablate(tmp_path, "--help")
    assert bare.stdout + bare.stderr == helped.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pln"], "No such command 'pln'. Did you mean 'plan'?"),
        (["variants", "lst"], "No such command 'lst'. Did you mean 'list'?"),
        (["plan", "--gird", "table4"], "No such option: --gird"),
        (["plan"], "Missing option '--grid'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_unknown_and_missing_words_are_one_line(
    tmp_path: Path, words: list[str], expected: str
) -> None:
    done = ablate(tmp_path, *words)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert expected in line


def test_a_shell_can_complete_commands_subcommands_and_options() -> None:
    group = get_command(app)
    with group.make_context("ablate", [], resilient_parsing=True) as ctx:
        found = [item.value for item in group.shell_complete(ctx, "p")]
        assert found == ["plan", "predict", "published"]
        name, variants, _ = group.resolve_command(ctx, ["variants"])
        with variants.make_context(name, [], parent=ctx, resilient_parsing=True) as below:
            assert [item.value for item in variants.shell_complete(below, "s")] == ["show"]
        name, plan, _ = group.resolve_command(ctx, ["plan"])
        with plan.make_context(name, [], parent=ctx, resilient_parsing=True) as below:
            assert "--seeds" in [item.value for item in plan.shell_complete(below, "--s")]


def test_all_loaded_commands_have_the_names_that_are_listed() -> None:
    commands = load_all().commands
    assert {name: command.name for name, command in commands.items()} == {
        name: name for name in COMMANDS
    }


def test_ctrl_c_is_an_interruption_wherever_it_comes(tmp_path: Path) -> None:
    program = (
        "import sys; from ablate.cli import main, status\n"
        "def stop(*words): raise KeyboardInterrupt\n"
        "status.sweep_status = stop\n"
        "sys.argv = ['ablate', 'status']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == ExitCode.INTERRUPTED
    assert done.stderr == "interrupted: stopped by Ctrl-C; the same command continues\n"


def test_the_module_imports_nothing_of_the_working_folder(tmp_path: Path) -> None:
    """Python puts the working folder first for ``python -m``; files there are not ours."""
    for name in ("random", "queue", "signal"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'a').write(__name__)\n")
    assert output(tmp_path, "variants", "check")
    assert not (tmp_path / "executed").exists()
