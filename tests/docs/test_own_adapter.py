"""The page on adapters of other packages: its example is a package that works as it stands."""

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate.errors import BadInput, SpecError
from ablate.models import count
from ablate.models.preflight import vacuous
from ablate.registry import Catalogue, shipped
from ablate.spec import SamVariant
from ablate.study import Study

PAGE = Path(__file__).parents[2] / "docs" / "own-adapter.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def install(site: Path, name: str, points: dict[str, str]) -> None:
    """What an installer writes of a package besides its modules."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{kind} = {value}" for kind, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[ablate.adapters]", *lines, ""]))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages, with the page's."""
    site = tmp_path / "site-packages"
    package = site / "scaled"
    package.mkdir(parents=True)
    settings, builder = blocks("python")
    (package / "__init__.py").write_text("")
    (package / "settings.py").write_text(settings)
    (package / "modules.py").write_text(builder)
    (declared,) = blocks("toml")
    install(site, "scaled", tomllib.loads(declared)["project"]["entry-points"]["ablate.adapters"])
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    yield site
    for module in [name for name in sys.modules if name.partition(".")[0] == "scaled"]:
        del sys.modules[module]


def catalogue(folder: Path, text: str) -> Catalogue:
    folder.mkdir(exist_ok=True)
    (folder / "mine.yaml").write_text(text)
    return Catalogue([folder, shipped("variants")])


def declared(tmp_path: Path, adapter: str | None = None) -> SamVariant:
    (text,) = blocks("yaml")
    text = text if adapter is None else f"extends: translandseg\nadapter: {adapter}\n"
    variant = catalogue(tmp_path / "variants", text).variant("mine")
    assert isinstance(variant, SamVariant)
    return variant


def test_the_example_is_checked_counted_and_not_vacuous(site: Path, tmp_path: Path) -> None:
    variant = declared(tmp_path)
    assert variant.describe() == "scale: start 0.5; trained: adapter, mask decoder"
    assert variant.identity("vit_l")["adapter"] == {"kind": "scale", "start": 0.5}
    assert "scaled.modules" not in sys.modules
    counted = count(variant, "vit_l")
    assert (counted.adapter, counted.sites) == (24 * 4096, 24)
    other = declared(tmp_path, "{kind: scale}")
    assert vacuous({"mine": variant, "other": other}) == []
    again = SamVariant.model_validate_json(variant.model_dump_json())
    assert again == variant
    assert variant.model_dump()["adapter"] == {"kind": "scale", "start": 0.5}


def test_the_example_is_a_row_of_a_sweep(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    declared(tmp_path)
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "own.yaml").write_text(
        "title: Own\nprotocol: demo\nseeds: [0]\nvariants: [translandseg, mine]\n"
    )
    study = Study(
        "own",
        store=tmp_path / "store",
        executor="inline",
        track=False,
        overrides=["epochs=1", "data={kind: generated, seed: 1, count: 10, size_px: 64}"],
    )
    study.run()
    report = study.report()
    assert "Scaled MLPs" in str(report)
    versions = [run.versions.get("scaled") for run in report.report.provenance.runs]
    assert versions == [None, "1.0"]


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        ("{kind: scale, start: 0}", r"scaled refuses it: start: Input should be greater than 0"),
        ("{kind: scale, stop: 1}", r"scaled refuses it: stop: Extra inputs are not permitted"),
        ("{kind: scal}", r"adapter.kind is 'scal'"),
    ],
)
def test_a_wrong_value_is_one_line(site: Path, tmp_path: Path, adapter: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        declared(tmp_path, adapter)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (None, r"of the package broken cannot be loaded \(ModuleNotFoundError"),
        ("raise RuntimeError('no\\nlicence')", r"cannot be loaded \(RuntimeError: no\); repair or"),
        ("Adapter = 3", "is not a subclass of ablate.spec.OwnAdapter"),
        (
            "from ablate.spec import OwnAdapter as Adapter",
            r"must have the field kind: Literal\['ro",
        ),
    ],
)
def test_a_broken_package_is_one_line_naming_it_and_others_work(
    site: Path, tmp_path: Path, module: str | None, message: str
) -> None:
    install(site, "broken", {"rotten": "rotten_module:Adapter"})
    if module is not None:
        (site / "rotten_module.py").write_text(module + "\n")
    try:
        with pytest.raises(SpecError, match=message) as caught:
            declared(tmp_path, "{kind: rotten}")
    finally:
        sys.modules.pop("rotten_module", None)
    (line,) = caught.value.problems
    assert "\n" not in line
    assert "rotten" in line
    assert declared(tmp_path).adapter.kind == "scale"


def test_two_packages_of_one_kind_are_refused(site: Path, tmp_path: Path) -> None:
    install(site, "twin", {"scale": "twin:Adapter"})
    with pytest.raises(SpecError, match="have the same kind; uninstall one"):
        declared(tmp_path)


def test_a_builder_that_is_not_there_is_one_line(site: Path, tmp_path: Path) -> None:
    (site / "scaled" / "modules.py").write_text("")
    with pytest.raises(BadInput, match=r"scaled.modules:build of adapter 'scale' cannot be import"):
        count(declared(tmp_path), "vit_nano")
    (site / "scaled" / "modules.py").write_text("def build(adapter, encoder): return encoder\n")
    del sys.modules["scaled.modules"]
    importlib.invalidate_caches()
    with pytest.raises(BadInput, match=r"does not return ablate\.models\.Adapted"):
        count(declared(tmp_path), "vit_nano")


def test_nothing_of_the_working_folder_is_imported(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site)
    with pytest.raises(SpecError, match=r"adapter.kind is 'scale'"):
        declared(tmp_path)
    assert "scaled" not in sys.modules
