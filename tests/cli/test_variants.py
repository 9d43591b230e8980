"""``ablate variants``: lists show what sets variants apart, drawings print labels literally."""

import json
from pathlib import Path
from typing import Any

from ablate.registry import Catalogue
from cli.command import ablate


def output(folder: Path, *words: str, **variables: str) -> str:
    done = ablate(folder, "variants", *words, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_json(folder: Path, *words: str) -> Any:
    return json.loads(output(folder, *words, "--format", "json"))


def test_the_json_list_has_every_column_of_every_variant(tmp_path: Path) -> None:
    listed = {row["name"]: row for row in as_json(tmp_path, "list")}
    catalogue = Catalogue()
    assert listed.keys() == catalogue.variant_files.keys()
    for name, row in listed.items():
        variant = catalogue.variant(name)
        given = {key: value for key, value in row.items() if value is not None}
        own = {key: value for key, value in variant.columns().items() if value is not None}
        assert given == own | {
            "name": name,
            "system": variant.system,
            "label": variant.label or name,
        }
    assert len({tuple(row) for row in listed.values()}) == 1


def test_the_table_shows_what_sets_variants_apart(tmp_path: Path) -> None:
    lines = output(tmp_path, "list").splitlines()
    rows = {line.split()[0]: line for line in lines}
    assert "between" in rows["translandseg-23-sites"]
    assert "random" in rows["random-encoder"]
    assert "m×2 + c×3" in rows["translandseg-6"]
    assert "inside" in rows["translandseg-6"]
    assert "everything" in rows["sam-everything"]
    # What all rows of a table share is said once, above them.
    (title,) = (line for line in lines if line.startswith("sam: adapter atl-released"))
    assert "width 32" in title
    assert "32" not in rows["translandseg-released"]


def test_show_prints_labels_literally(tmp_path: Path) -> None:
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "mine.yaml").write_text(
        'extends: translandseg\nlabel: "[bold]mine[/nothing] :smile:"\n'
    )
    drawn = output(tmp_path, "show", "mine", "--backbone", "vit_nano")
    assert drawn.splitlines()[0] == "[bold]mine[/nothing] :smile: on SAM-nano"
