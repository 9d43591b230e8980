"""A sweep in one archive, and what is found when the archive was altered."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import StoreError
from ablate.registry import Catalogue
from ablate.report import Report
from ablate.report.report_differences import report_differences
from ablate.report.verification_model import Verification
from ablate.runs import State, Store
from ablate.runs.attempts import Attempt
from ablate.spec import digest_of
from ablate.study import verify_bundle, write_bundle
from fixture_stores import FOLDERS, copy_of
from report.pixels_on_disk import finish_with_pixels
from report.sweep_on_disk import SweepOnDisk

ROW, OTHER = "translandseg", "translandseg-1"
Edit = Callable[[dict[str, bytes]], None]


@pytest.fixture
def table(tmp_path: Path) -> SweepOnDisk:
    """Two rows of two seeds are done, the others ended in every other way."""
    table = SweepOnDisk(tmp_path / "store", Catalogue().protocol("demo"), seeds=(0, 1))
    for seed in table.seeds:
        finish_with_pixels(table, ROW, seed)
        finish_with_pixels(table, OTHER, seed, tp=90)
    table.fail("translandseg-2")
    table.fail("translandseg-2", 1, kind="diverged", why="the loss is not finite")
    table.interrupt("translandseg-3")
    table.begin("translandseg-5")
    return table


@pytest.fixture
def bundle(table: SweepOnDisk, tmp_path: Path) -> Path:
    path = tmp_path / "table4.zip"
    write_bundle(table.start(), table.store, path)
    return path


def altered(bundle: Path, edit: Edit, *, digests: bool = False) -> Path:
    """The bundle with other files, with digests as they were or put right."""
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    edit(files)
    if digests:
        put_digests_right(files)
    path = bundle.with_name("altered.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def put_digests_right(files: dict[str, bytes]) -> None:
    from hashlib import sha256

    crate = json.loads(files["ro-crate-metadata.json"])
    for entry in crate["@graph"]:
        if "sha256" in entry:
            entry["sha256"] = sha256(files[entry["@id"]]).hexdigest()
    files["ro-crate-metadata.json"] = json.dumps(crate).encode()


def set_value(name: str, *place: str, value: Any) -> Edit:
    """Sets a value of the first JSON file whose name ends like this."""

    def edit(files: dict[str, bytes]) -> None:
        path = next(each for each in sorted(files) if each.endswith(name))
        content = json.loads(files[path])
        below = content
        for key in place[:-1]:
            below = below[key]
        below[place[-1]] = value
        files[path] = json.dumps(content).encode()

    return edit


def whats(checked: Verification) -> set[str]:
    return {each.what for each in checked.disagreements}


def test_a_bundle_agrees_with_itself_where_nothing_else_is(
    table: SweepOnDisk, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(table.root)
    # A catalogue of the reader's own plays no part.
    for name, text in (
        ("variants/translandseg.yaml", "nonsense"),
        ("reports/published/table4.yaml", ""),
    ):
        path = tmp_path / "elsewhere" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path / "elsewhere")
    checked = verify_bundle(bundle)
    assert (checked.state, checked.disagreements, checked.report_differences) == ("agrees", (), ())
    assert (checked.runs, checked.runs_without_result, checked.weights) == (4, 10, 0)


def test_equal_stores_give_equal_bytes(table: SweepOnDisk, bundle: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(table.root, moved)
    record, *_ = table.store.sweep_records()
    again = SweepOnDisk(moved, table.protocol)
    write_bundle(record, again.store, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()


def test_the_report_inside_says_how_every_run_ended(table: SweepOnDisk, bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        report = Report.model_validate_json(archive.read("report.json"))
        names = archive.namelist()
    states = {row.name: [each.state for each in row.repeats] for row in report.rows}
    assert states[ROW] == ["done", "done"]
    assert states["translandseg-2"] == ["failed", "diverged"]
    assert states["translandseg-3"] == ["interrupted", "not run"]
    assert report_differences(table.report(), report)[1] == []
    assert not any(name.endswith((".pt", ".png", ".safetensors", ".lock")) for name in names)


def test_a_running_run_stays_running(table: SweepOnDisk, tmp_path: Path) -> None:
    path = tmp_path / "running.zip"
    with table.begin("translandseg-7").claim() as is_mine:
        assert is_mine
        made = write_bundle(table.start(), Store(table.root), path)
    row = next(row for row in made.report.rows if row.name == "translandseg-7")
    assert row.missing_reason == State.RUNNING.value
    assert verify_bundle(path).agrees


def test_weights_come_along_where_they_are_wanted(table: SweepOnDisk, tmp_path: Path) -> None:
    path = tmp_path / "weights.zip"
    write_bundle(table.start(), table.store, path, weights=True)
    assert verify_bundle(path).weights == 4

    def edit(files: dict[str, bytes]) -> None:
        files[f"runs/{table.folder(ROW).key}/weights.safetensors"] = b"others"

    checked = verify_bundle(altered(path, edit, digests=True))
    assert whats(checked) == {"weights_sha256"}


def test_weights_that_are_not_those_of_the_result_are_not_packed(
    table: SweepOnDisk, tmp_path: Path
) -> None:
    table.folder(ROW).weights_path.write_bytes(b"others")
    with pytest.raises(StoreError, match="weights_sha256 is "):
        write_bundle(table.start(), table.store, tmp_path / "no.zip", weights=True)
    # Without them they play no part.
    write_bundle(table.start(), table.store, tmp_path / "yes.zip")


@pytest.mark.parametrize("name", ["result.json", "weights.safetensors"])
def test_a_link_is_not_packed(name: str, table: SweepOnDisk, tmp_path: Path) -> None:
    """It could lead to any file of this machine."""
    path = table.folder(ROW).path / name
    copy = tmp_path / "copy"
    path.replace(copy)
    path.symlink_to(copy)
    with pytest.raises((StoreError, OSError), match="it is a link, not a file"):
        write_bundle(table.start(), table.store, tmp_path / "no.zip", weights=True)
    assert not (tmp_path / "no.zip").exists()


def test_splits_and_costs_of_attempts_come_along(tmp_path: Path) -> None:
    table = SweepOnDisk(tmp_path / "splits", Catalogue().protocol("demo"), splits=(0, 1))
    for split in table.splits:
        folder = finish_with_pixels(table, ROW, split=split)
        attempt = Attempt(
            started=1.7e9,
            seen=1.7e9 + 9,
            device="cpu",
            device_name="A processor",
            shared_by=1,
            device_s=9.0,
        )
        folder.begin_attempt(attempt)
    path = tmp_path / "splits.zip"
    made = write_bundle(table.start(), table.store, path)
    row = next(row for row in made.report.rows if row.name == ROW)
    assert [each.repeat for each in row.repeats] == [(0, 0), (1, 0)]
    assert verify_bundle(path).agrees
    with zipfile.ZipFile(path) as archive:
        assert sum("/attempts/" in name for name in archive.namelist()) == 2


def test_a_store_that_contradicts_itself_is_not_packed(table: SweepOnDisk, tmp_path: Path) -> None:
    result = table.folder(ROW).path / "result.json"
    content = json.loads(result.read_text())
    content["metrics"]["miou"] = 0.99
    result.write_text(json.dumps(content))
    with pytest.raises(
        StoreError, match=r"table4-\w+ contradicts .* in 2 of its values, .*metrics\.miou"
    ):
        write_bundle(table.start(), table.store, tmp_path / "no.zip")
    assert not (tmp_path / "no.zip").exists()


# Alterations ------------------------------------------------------------------------------


def test_an_altered_file_is_named_by_its_digest(bundle: Path) -> None:
    checked = verify_bundle(
        altered(bundle, set_value("spec.json", "provenance", "created", value=0.0))
    )
    # By the metadata, and by the result of the run.
    assert [each.what for each in checked.disagreements] == ["sha256", "sha256"]
    (file,) = {each.file for each in checked.disagreements}
    assert file.endswith("/spec.json")


def test_files_that_are_gone_or_new_are_named(bundle: Path) -> None:
    def edit(files: dict[str, bytes]) -> None:
        del files["report.html"]
        files["sweeps/copy.json"] = b"{}"

    named = {
        each.file: (each.stored is None, each.recomputed is None)
        for each in verify_bundle(altered(bundle, edit)).disagreements
    }
    assert named == {"report.html": (False, True), "sweeps/copy.json": (True, False)}


def test_a_forged_result_is_found_though_all_digests_are_right(bundle: Path) -> None:
    def edit(files: dict[str, bytes]) -> None:
        path = next(each for each in sorted(files) if each.endswith("/result.json"))
        result = json.loads(files[path])
        result["metrics"]["miou"] = 0.99
        del result["sha256"]
        files[path] = json.dumps(result | {"sha256": digest_of(result)}).encode()

    assert whats(verify_bundle(altered(bundle, edit, digests=True))) == {"metrics.miou"}


def test_a_forged_report_is_found_though_all_digests_are_right(bundle: Path) -> None:
    def edit(files: dict[str, bytes]) -> None:
        report = json.loads(files["report.json"])
        report["rows"][0]["scores"]["miou"]["mean"] = 99.0
        files["report.json"] = json.dumps(report).encode()

    checked = verify_bundle(altered(bundle, edit, digests=True))
    assert not checked.disagreements
    places = {(each.file, each.place) for each in checked.report_differences}
    assert ("report.json", "rows[translandseg-1].scores.miou.mean") in places
    # The texts are no longer those of the report inside.
    assert {file for file, _ in places} == {"report.json", "report.md", "report.html"}


def test_a_forged_page_is_found(bundle: Path) -> None:
    def edit(files: dict[str, bytes]) -> None:
        files["report.md"] = files["report.md"].replace(b"TransLandSeg", b"OurModel", 1)

    (only,) = verify_bundle(altered(bundle, edit, digests=True)).report_differences
    assert (only.file, only.place[:5]) == ("report.md", "line ")
    assert "OurModel" in str(only.stored)


def test_forged_published_values_are_found(bundle: Path) -> None:
    def edit(files: dict[str, bytes]) -> None:
        name = "reports/published/table4.yaml"
        files[name] = files[name].replace(b'"88.1', b'"98.1', 1).replace(b"'88.1", b"'98.1", 1)

    checked = verify_bundle(altered(bundle, edit, digests=True))
    assert any("published" in each.place for each in checked.report_differences)


def test_metadata_may_be_added_to(bundle: Path) -> None:
    """A licence and authors are added when a bundle is deposited."""

    def edit(files: dict[str, bytes]) -> None:
        crate = json.loads(files["ro-crate-metadata.json"])
        crate["@graph"][1]["license"] = {"@id": "https://spdx.org/licenses/CC-BY-4.0"}
        files["ro-crate-metadata.json"] = json.dumps(crate).encode()

    assert verify_bundle(altered(bundle, edit)).agrees


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_stores_of_every_engine_can_be_packed(folder: Path, tmp_path: Path) -> None:
    store = copy_of(folder, tmp_path)
    for record in store.sweep_records():
        path = tmp_path / f"{record.id}.zip"
        write_bundle(record, store, path)
        assert verify_bundle(path).agrees


def test_the_metadata_describe_every_file(bundle: Path) -> None:
    """What RO-Crate 1.2 requires of an attached crate."""
    with zipfile.ZipFile(bundle) as archive:
        crate = json.loads(archive.read("ro-crate-metadata.json"))
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    entities = {each["@id"]: each for each in crate["@graph"]}
    assert len(entities) == len(crate["@graph"])
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"]["@id"] in crate["@context"][0]
    assert (root["@type"], root["datePublished"][:10]) == ("Dataset", "2023-11-14")
    assert root["name"]
    assert root["description"]
    parts = {each["@id"] for each in root["hasPart"]}
    assert parts == sizes.keys() - {"ro-crate-metadata.json"}
    for name in parts:
        assert entities[name]["@type"] == "File"
        assert int(entities[name]["contentSize"]) == sizes[name]
        assert entities[name]["encodingFormat"]
    # Flat: what an entity refers to is an entity of its own, or on the web.
    for value in (value for each in crate["@graph"] for value in each.values()):
        for below in value if isinstance(value, list) else [value]:
            if isinstance(below, dict):
                assert below.keys() == {"@id"}
                assert below["@id"] in entities or below["@id"].startswith("https://")
