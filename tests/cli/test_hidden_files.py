"""A variant of one's own beside the published one of the same name is noted."""

from pathlib import Path

from ablate.registry import shipped
from ablate.spec import Context
from cli.command import TINY, ablate
from tiny_sweeps import start_table4

NOTE = "note: your own variant translandseg is used, and "


def test_a_hidden_published_variant_is_noted(tmp_path: Path, context: Context) -> None:
    (tmp_path / "variants").mkdir()
    published = shipped("variants") / "translandseg.yaml"
    own = published.read_text().replace("width: 2", "width: 8")
    (tmp_path / "variants" / "translandseg.yaml").write_text(own)
    start_table4(tmp_path / "store", context)
    for words in (
        ("variants", "list"),
        ("plan", "--grid", "table4", "--protocol", "demo", *TINY),
        ("report", "--grid", "table4", "--store", "store"),
    ):
        done = ablate(tmp_path, *words)
        assert done.returncode == 0, done.stderr
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("note: your")]
        assert line == f"{NOTE}{published}, of the same name, is not read"


def test_of_a_variant_that_is_not_in_the_sweep_nothing_is_noted(tmp_path: Path) -> None:
    (tmp_path / "variants").mkdir()
    published = shipped("variants") / "unet.yaml"
    (tmp_path / "variants" / "unet.yaml").write_text(published.read_text() + "# mine\n")
    done = ablate(tmp_path, "plan", "--grid", "table4", "--protocol", "demo", *TINY)
    assert "your own" not in done.stderr
