"""``ablate.toml`` in the working folder: defaults for options, below the environment."""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from ablate.errors import BadInput

_FILE = Path("ablate.toml")
_PREFIX = "ABLATE_"
_EXECUTOR = "executor"


class Kind(Enum):
    """What a key of ``ablate.toml`` takes, in the words of a message."""

    TEXT = "a text"
    TEXTS = "a list of texts"
    NUMBER = "a whole number"
    NUMBERS = "a list of whole numbers"
    DECIMAL = "a number"
    FLAG = "true or false"


# Listed here and not read from the commands, which would all have to be loaded for that; a test
# compares the two.
KEYS = {
    "backbone": Kind.TEXT,
    "backbone_weights": Kind.TEXTS,
    "checkpoint": Kind.TEXT,
    "cohort_size": Kind.NUMBER,
    "data": Kind.TEXT,
    "decide": Kind.FLAG,
    "detach": Kind.FLAG,
    "device": Kind.TEXTS,
    "evaluate_data": Kind.TEXTS,
    "evaluate_format": Kind.TEXT,
    "evaluate_row": Kind.TEXTS,
    "evaluate_set": Kind.TEXTS,
    "executor": Kind.TEXT,
    "explain": Kind.TEXT,
    "export": Kind.TEXT,
    "figures": Kind.TEXT,
    "follow": Kind.FLAG,
    "format": Kind.TEXT,
    "grid": Kind.TEXT,
    "host": Kind.TEXT,
    "into": Kind.TEXT,
    "keep_going": Kind.FLAG,
    "lines": Kind.NUMBER,
    "merged": Kind.FLAG,
    "min_area": Kind.DECIMAL,
    "older_than": Kind.NUMBER,
    "onnx": Kind.FLAG,
    "out": Kind.TEXT,
    "overlaps": Kind.FLAG,
    "polygons": Kind.FLAG,
    "port": Kind.NUMBER,
    "protocol": Kind.TEXT,
    "quiet": Kind.FLAG,
    "ray_address": Kind.TEXT,
    "report_format": Kind.TEXT,
    "resolution": Kind.TEXT,
    "retry": Kind.TEXT,
    "row": Kind.TEXT,
    "run": Kind.TEXT,
    "sampler": Kind.TEXT,
    "sampler_seed": Kind.NUMBER,
    "seeds": Kind.NUMBERS,
    "set": Kind.TEXTS,
    "sheet": Kind.TEXT,
    "simplify": Kind.DECIMAL,
    "splits": Kind.NUMBER,
    "storage": Kind.TEXT,
    "store": Kind.TEXT,
    "track": Kind.FLAG,
    "tracking_uri": Kind.TEXT,
    "trials": Kind.NUMBER,
    "variant": Kind.TEXTS,
    "wait": Kind.FLAG,
    "weights": Kind.FLAG,
    "window_overlap": Kind.NUMBER,
}

# Options that destroy: in a file, or in the environment, they would do it each time.
_NOT_KEPT = ("remove",)


@dataclass(frozen=True)
class Settings:
    """What ``ablate.toml`` says.

    Attributes:
        options: Values of options, by key.
        executors: Settings of executors, by the executor's name.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    executors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_settings(path: Path = _FILE) -> Settings:
    """Reads the file; without one there are no settings.

    Raises:
        BadInput: If the file is not TOML, has a key that is not an option, or a value of a wrong
            type.
    """
    if not path.exists():
        return Settings()
    # Most folders have no such file.
    import tomllib

    try:
        # Editors on Windows begin a file with a byte order mark.
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    # RecursionError: arrays in arrays without end; ValueError: a number of thousands of digits.
    except (OSError, ValueError, RecursionError) as error:
        why = str(error).partition(";")[0]
        raise BadInput(f"{path} cannot be read: {why}", "repair it, or remove it") from error
    executors: Mapping[str, Mapping[str, Any]] = {}
    if isinstance(document.get(_EXECUTOR), dict):
        name, executors = _executor_tables(path, document.pop(_EXECUTOR))
        document |= {} if name is None else {_EXECUTOR: name}
    for key in document:
        if key not in KEYS:
            raise BadInput(f"{path}: unknown key {key!r}", _repair(key))
    return Settings({key: _value(path, key, value) for key, value in document.items()}, executors)


def default_map(command: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as Click takes them: by the names of a command's parameters, below subcommands.

    Args:
        command: A loaded command.
        options: Values by key.
    """
    values = {
        param.name: options[key]
        for param in command.params
        if (key := key_of(param)) is not None and key in options
    }
    for name, below in getattr(command, "commands", {}).items():
        values[name] = default_map(below, options)
    return values


def key_of(param: Any) -> str | None:
    """The key of an option in ``ablate.toml``; None: it has no key."""
    variables = [param.envvar] if isinstance(param.envvar, str) else param.envvar or ()
    own = [name for name in variables if name.startswith(_PREFIX)]
    return own[0].removeprefix(_PREFIX).lower() if own else None


def _executor_tables(path: Path, table: dict[str, Any]) -> tuple[Any, dict[str, dict[str, Any]]]:
    """``[executor]``: its name, and the settings of executors in tables of their own."""
    tables = {key: value for key, value in table.items() if key != "name"}
    for key, value in tables.items():
        if not isinstance(value, dict):
            raise BadInput(
                f"{path}: executor.{key} is not a table",
                f"choose an executor with `name` below [executor], set it up below "
                f"[executor.{key}]",
            )
    return table.get("name"), tables


def _repair(key: str) -> str:
    if key in _NOT_KEPT:
        return f"what removes files is said each time: give --{key} on the command line"
    near = difflib.get_close_matches(key, KEYS, 1)
    return f"did you mean {near[0]!r}?" if near else f"its keys are {', '.join(KEYS)}"


def _value(path: Path, key: str, value: Any) -> Any:
    """A value of the file as its option takes it."""
    kind = KEYS[key]
    values = value if isinstance(value, list) else [value]
    is_right: dict[Kind, Callable[[], bool]] = {
        Kind.TEXT: lambda: isinstance(value, str),
        Kind.TEXTS: lambda: all(isinstance(each, str) for each in values),
        Kind.NUMBER: lambda: _is_number(value),
        Kind.DECIMAL: lambda: (
            _is_number(value) or (isinstance(value, float) and math.isfinite(value))
        ),
        Kind.NUMBERS: lambda: isinstance(value, str) or all(map(_is_number, values)),
        Kind.FLAG: lambda: isinstance(value, bool),
    }
    if not is_right[kind]():
        raise BadInput(f"{path}: {key} is {_shown(value)}", f"give {kind.value}")
    match kind:
        case Kind.TEXTS:
            return values
        case Kind.NUMBERS:
            # As on the command line, where one word holds them all.
            return value if isinstance(value, str) else ",".join(map(str, values))
        case _:
            return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    match value:
        case dict():
            return "a table"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case str():
            return repr(value)
        case _:
            return str(value)
