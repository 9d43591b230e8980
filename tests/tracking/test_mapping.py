import pytest
from fake_store import context, fake_store, run_spec

from ablate.runs import Failure, Provenance
from ablate.spec import NoAdapter, SamVariant
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
    # No rivals, so no ResNets.
    told = {name.split(".")[0] for name in params}
    assert told == {"seed", "engine", "variant"} | set(spec["context"]) - {"resnets"}


def test_different_runs_have_different_params():
    told = [mapping.params(run_spec(name)) for name in ("translandseg", "translandseg-7")]
    differing = {name for name in told[0] if told[0][name] != told[1][name]}
    assert differing == {
        "variant.name",
        "variant.label",
        "variant.adapter.residual",
        "variant.adapter.up_init",
    }


def test_params_and_tags_keep_to_mlflows_limits(tmp_path):
    long = "x" * 9000
    data = context().data.model_copy(update={"label": long})
    within = context().model_copy(update={"data": data})
    spec = run_spec("translandseg", within=within)
    assert len(mapping.params(spec)["data.label"]) == 6000
    failure = Failure(kind="error", message=long, detail="", time=0)
    tags = mapping.state_tags(spec, mapping.State.FAILED, failure, "stamp")
    assert max(map(len, tags.values())) == 8000
    record = fake_store(tmp_path).record.model_copy(update={"context": within})
    assert len(mapping.sweep_tags(record)["ablate.watermark"]) == 8000
    assert len(mapping.data_input(within).digest) == 36


@pytest.mark.parametrize(
    ("commit", "told"),
    [
        ("abc", {"mlflow.source.git.commit": "abc", "mlflow.source.git.dirty": "False"}),
        ("abc+changes", {"mlflow.source.git.commit": "abc", "mlflow.source.git.dirty": "True"}),
        (None, {}),
    ],
)
def test_the_commit_is_told_where_it_is_known(tmp_path, commit, told):
    origin = Provenance(created=0, ablate="0", commit=commit, python="3", packages={})
    tags = mapping.run_tags(fake_store(tmp_path).record, run_spec("translandseg"), origin)
    assert {name: tag for name, tag in tags.items() if ".git." in name} == told


def test_a_variant_without_adapter_is_described():
    bare = SamVariant(system="sam", adapter=NoAdapter(kind="none"), trained=("mask_decoder",))
    spec = run_spec("translandseg").model_copy(update={"variant": bare})
    assert "no adapter" in mapping.run_note(spec, None)
    assert mapping.params(spec)["variant.adapter.kind"] == "none"
