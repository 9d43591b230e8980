import pytest
from fake_store import context as fake_context
from fake_store import fake_store, run_spec

from ablate.registry import Catalogue
from ablate.runs import Failure, Provenance
from ablate.spec import NoAdapter, RunSpec, SamVariant, random_resnet
from ablate.tracking import mapping


def test_every_field_of_a_spec_is_a_param_of_plain_text():
    params = mapping.params(run_spec("translandseg-5", seed=3))
    assert params["variant.adapter.midlays"] == "m,m,c,c,c"
    assert params["variant.trained"] == "adapter,mask_decoder"
    assert params["variant.adapter.residual"] == "true"
    assert params["protocol.mean"] == "0.485,0.456,0.406"
    assert params["protocol.published_split"] == "none"
    assert params["seed"] == "3"
    spec = run_spec("translandseg-5").model_dump(mode="json")
    # No CNN baselines, so no ResNets.
    groups = {name.split(".")[0] for name in params}
    assert groups == {"split", "seed", "columns", "variant"} | set(spec["context"]) - {"resnets"}


def test_the_columns_of_a_table_are_params_too():
    variant = run_spec("translandseg").variant
    random = variant.model_copy(update={"encoder_weights": "random"})
    spec = run_spec("translandseg").model_copy(update={"variant": random})
    params = mapping.params(spec)
    columns = {name: params[f"columns.{name}"] for name in ("sites", "encoder_weights", "adapter")}
    assert columns == {"sites": "all", "encoder_weights": "random", "adapter": "atl"}
    # A Linear MidLay has no kernel.
    assert "columns.kernel_size" not in params
    assert "over a random image encoder" in mapping.run_note(spec, None)


@pytest.mark.parametrize("name", ["deeplabv3plus", "sam-points", "sam-everything"])
def test_other_systems_have_params_and_a_note(name, context):
    variant = Catalogue().variant(name)
    resnets = {"resnet101": random_resnet("resnet101"), "resnet50": random_resnet("resnet50")}
    within = context.model_copy(update={"resnets": resnets})
    spec = RunSpec(name=name, variant=variant, context=within, seed=3)
    params = mapping.params(spec)
    assert params["variant.system"] == variant.system
    for column, cell in variant.columns().items():
        assert (f"columns.{column}" in params) == (cell is not None)
    assert variant.describe() in mapping.run_note(spec, None)
    assert ("seed 3" in mapping.run_note(spec, None)) == variant.is_trained


def test_different_runs_have_different_params():
    both = [mapping.params(run_spec(name)) for name in ("translandseg", "translandseg-7")]
    differing = {name for name in both[0] if both[0][name] != both[1][name]}
    assert differing == {
        "variant.name",
        "variant.label",
        "variant.adapter.residual",
        "variant.adapter.up_init",
        "columns.residual",
        "columns.up_init",
    }


def test_params_and_tags_keep_to_mlflows_limits(tmp_path):
    long = "x" * 9000
    data = fake_context().data.model_copy(update={"label": long})
    within = fake_context().model_copy(update={"data": data})
    spec = run_spec("translandseg", within=within)
    assert len(mapping.params(spec)["data.label"]) == 6000
    failure = Failure(kind="error", message=long, detail="", time=0)
    tags = mapping.state_tags(spec, mapping.State.FAILED, failure, "stamp")
    assert max(map(len, tags.values())) == 8000
    record = fake_store(tmp_path).record.model_copy(update={"context": within})
    assert len(mapping.sweep_tags(record)["ablate.watermark"]) == 8000
    assert len(mapping.data_input(within).digest) == 36


@pytest.mark.parametrize(
    ("commit", "expected"),
    [
        ("abc", {"mlflow.source.git.commit": "abc", "mlflow.source.git.dirty": "False"}),
        ("abc+changes", {"mlflow.source.git.commit": "abc", "mlflow.source.git.dirty": "True"}),
        (None, {}),
    ],
)
def test_the_commit_is_a_tag_where_it_is_known(tmp_path, commit, expected):
    origin = Provenance(created=0, ablate="0", commit=commit, python="3", packages={})
    record = fake_store(tmp_path).record
    tags = mapping.run_tags(record, record.runs[0], origin)
    assert {name: tag for name, tag in tags.items() if ".git." in name} == expected


def test_a_variant_without_adapter_is_described():
    plain = SamVariant(system="sam", adapter=NoAdapter(kind="none"), trained=("mask_decoder",))
    spec = run_spec("translandseg").model_copy(update={"variant": plain})
    assert "no adapter" in mapping.run_note(spec, None)
    assert mapping.params(spec)["variant.adapter.kind"] == "none"


def test_the_split_is_named_where_there_are_several():
    spec = run_spec("translandseg", seed=1).model_copy(update={"split": 2})
    name = mapping.run_name(spec, (0, 1), splits=(0, 2))
    assert name == "TransLandSeg · split 2 · seed 1"
    assert mapping.run_name(run_spec("translandseg"), (0, 1)) == "TransLandSeg · seed 0"
    assert mapping.params(spec)["split"] == "2"
    assert ", split 2, seed 1." in mapping.run_note(spec, None)
