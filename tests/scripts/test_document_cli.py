"""The page of the command line is what the commands say."""

from ablate.cli.app import load_all
from scripts.document_cli import PAGE, document


def test_the_page_is_up_to_date() -> None:
    """``python -m scripts.document_cli`` writes it."""
    assert PAGE.read_text(encoding="utf-8") == document()


def test_the_page_names_every_command() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, command in load_all().commands.items():
        for path in [f"{name} {below}" for below in getattr(command, "commands", {})] or [name]:
            assert f"\n## `ablate {path}" in page
