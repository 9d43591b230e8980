"""``ablate.toml`` in the working folder: defaults for options, below the environment."""

import os
import tomllib
from pathlib import Path
from typing import Any

from ablate.cli.app import load_all
from ablate.errors import BadInput

_FILE = Path("ablate.toml")


def load_settings() -> None:
    """Puts the keys of ``ablate.toml`` into the environment, where it does not set them.

    So the command line wins over the environment, and the environment over the file.

    Raises:
        BadInput: If the file is not TOML, or has a key that is no option.
    """
    if not _FILE.exists():
        return
    try:
        settings = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{_FILE} cannot be read: {error}", "repair it, or remove it") from error
    known = option_variables(load_all())
    for key, value in settings.items():
        variable = f"ABLATE_{key.upper()}"
        if variable not in known:
            own = (name for name in known if name.startswith("ABLATE_"))
            keys = ", ".join(sorted(name.removeprefix("ABLATE_").lower() for name in own))
            raise BadInput(f"{_FILE}: unknown key {key!r}", f"its keys are {keys}")
        os.environ.setdefault(variable, _text(key, value))


def option_variables(command: Any) -> set[str]:
    """The environment variables of a command's options and of all its subcommands'.

    Args:
        command: A command of typer's, whose parameters name one variable, several or none.
    """
    variables: set[str] = set()
    for param in command.params:
        named = param.envvar or ()
        variables |= {named} if isinstance(named, str) else set(named)
    for below in getattr(command, "commands", {}).values():
        variables |= option_variables(below)
    return variables


def _text(key: str, value: Any) -> str:
    """A TOML value as an environment variable spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return " ".join(map(str, value))
    raise BadInput(f"{_FILE}: {key} is a {type(value).__name__}", "give a text, number or list")
