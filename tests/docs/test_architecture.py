"""docs/architecture.md names files that are there, and each part of a store once."""

import re
from pathlib import Path

from ablate.runs import Store

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
_PATH = re.compile(r"[\w./*-]+(/|\.(py|pyi|md|yaml|safetensors))")


def named_paths() -> set[Path]:
    """Every file and folder of the project that the page names.

    In the table, a name lies in the folder of the file before it in its cell.
    """
    found = set()
    for line in PAGE.splitlines():
        folder = ROOT
        for name in re.findall(r"`([^`]+)`", line):
            if not _PATH.fullmatch(name):
                continue
            is_whole = (ROOT / name.partition("/")[0]).is_dir()
            if not (is_whole or line.startswith("|")):
                # Of a store, or of a run.
                continue
            path = ROOT / name if is_whole else folder / name
            folder = path if name.endswith("/") else path.parent if is_whole else folder
            found.add(path)
    return found


def test_every_file_that_is_named_is_there() -> None:
    paths = named_paths()
    assert len(paths) > 150
    gone = [str(path.relative_to(ROOT)) for path in paths if not list(_matching(path))]
    assert gone == []


def _matching(path: Path) -> list[Path]:
    return list(path.parent.glob(path.name)) if "*" in path.name else [path] * path.exists()


def listed() -> list[str]:
    """The first word of each line of the store's listing."""
    (block,) = re.findall(r"```\nSTORE/\n(.*?)```", PAGE, flags=re.DOTALL)
    return [line.split()[0] for line in block.splitlines() if re.match(r"  \S|    \S", line)]


def test_the_store_is_listed_whole_and_once(tmp_path: Path) -> None:
    names = listed()
    assert len(set(names)) == len(names)
    tops = {name.partition("/")[0] for name in names}
    store = Store(tmp_path / "store")
    paths = [each for each in vars(store).values() if isinstance(each, Path)]
    known = {path.relative_to(store.root).parts[0] for path in paths if path != store.root}
    assert "runs" in known
    assert known <= tops
