"""Writes ``docs/cli.md`` from the commands themselves: ``python -m scripts.document_cli``.

A test compares the page with the commands.
"""

from pathlib import Path
from typing import Any

from ablate.cli.app import COMMANDS, load_all
from ablate.cli.config import KEYS, key_of

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"

_HEAD = """\
<!-- Made by `python -m scripts.document_cli` from the commands. -->
# The command line

Every option can be given in three places; the nearest one wins:

1. on the command line (`--store runs`),
2. in the environment (`ABLATE_STORE=runs`; several values are separated by spaces, several paths
   by colons),
3. in `ablate.toml` in the working folder (`store = "runs"`).

In `ablate.toml` several values are a list, and `~` is the home folder, as everywhere:

```toml
data = "~/data/Bijie-landslide-dataset"
checkpoint = "~/weights/sam_vit_l_0b3195.pth"
seeds = [0, 1, 2]
set = ["epochs=3", "mean=[0.1, 0.2, 0.3]"]

[executor]
name = "local"

[executor.local]
threads_per_worker = 2
cohorts_per_device = "auto"
```

`format` is how tables are printed (`table` or `json`); `report_format` is how `ablate report`
writes its report. The settings of an executor stand in a table of their own, `[executor.NAME]`;
there the executor is chosen with `name` below `[executor]`, elsewhere with `executor = "NAME"`.
Those of `local` are `threads_per_worker`, how many threads a worker computes with on the processor
(by default its workers share them), and `cohorts_per_device`, how many cohorts are on a device at
once (by default 1; a number or `"auto"`: as far as its memory allows, see [memory.md](memory.md)).

Exit codes: 0 all done; 1 some run failed, or a claim does not hold; 2 bad input, nothing started;
3 nothing failed, but something is open: a run that another process trains (`--no-wait`), a claim
that cannot be told (`ablate check`); 75 interrupted, the state is saved and the same command
continues.
"""
_KEYS = """
## Keys of `ablate.toml`

| key | takes |
|---|---|
"""


def document() -> str:
    """The page."""
    root = load_all()
    parts = [_HEAD]
    for name in COMMANDS:
        parts += _sections(f"ablate {name}", root.commands[name])
    keys = [f"| `{key}` | {kind.value} |\n" for key, kind in KEYS.items()]
    return "".join([*parts, _KEYS, *keys])


def _sections(path: str, command: Any) -> list[str]:
    """The section of a command, or those of its subcommands."""
    below = getattr(command, "commands", None)
    if below is None:
        return [_section(path, command)]
    parts = [f"\n## `{path}`\n\n{command.help}\n"]
    for name, subcommand in below.items():
        parts += _sections(f"{path} {name}", subcommand)
    return parts


def _section(path: str, command: Any) -> str:
    params = [param for param in command.params if param.name != "help"]
    arguments = [param for param in params if param.param_type_name == "argument"]
    options = [param for param in params if param.param_type_name == "option"]
    words = " ".join([path, *(param.name.upper() for param in arguments)])
    text = f"\n## `{words}`\n\n{command.help}\n"
    if arguments:
        text += "".join(f"\n- `{param.name.upper()}`: {param.help}\n" for param in arguments)
    if options:
        text += "\n| option | environment | key | meaning |\n|---|---|---|---|\n"
        text += "".join(_option(param) for param in options)
    return text


def _option(param: Any) -> str:
    words = ", ".join(f"`{word}`" for word in (*param.opts, *param.secondary_opts))
    variables = [param.envvar] if isinstance(param.envvar, str) else param.envvar or ()
    shown = ", ".join(f"`{variable}`" for variable in variables) or "—"
    key = key_of(param)
    meaning = " ".join(param.help.split())
    if param.required:
        meaning += " [required]"
    elif param.show_default and param.default is not None:
        default = getattr(param.default, "value", param.default)
        meaning += f" [default: {str(default).lower() if default in (True, False) else default}]"
    cell = meaning.replace("|", "\\|")
    return f"| {words} | {shown} | {f'`{key}`' if key else '—'} | {cell} |\n"


if __name__ == "__main__":
    PAGE.write_text(document(), encoding="utf-8")
