"""What a sweep does, as a value that two of them can be compared by.

It is planned, tuned or reported, from results that are made up. Neither a spec's own dump nor a
run's key is part of it.
"""

import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from ablate.data.splitting import parts
from ablate.errors import BadInput
from ablate.metrics import Confusion, scores
from ablate.registry import Catalogue
from ablate.report import build_report, render, required_parameters
from ablate.runs import (
    Event,
    Machine,
    Parameters,
    Provenance,
    Result,
    RunFolder,
    SpecFile,
    Store,
)
from ablate.spec import (
    METRIC_NAMES,
    NANO_WEIGHTS,
    CnnVariant,
    Context,
    Protocol,
    RunSpec,
    Sweep,
    Variant,
    digest_of,
    random_resnet,
)
from ablate.study import Study
from ablate.study.tuning_ledger import Ledger
from observed_protocols import write_every_layout
from observed_variants import DATA, DEMO, logits
from report.sweep_on_disk import leave_confusions, pixels_of

# Made up: no report computes anything from them.
_PARAMETERS = Parameters(total=4, trainable=3, adapter=2, sites=1)
_PROVENANCE = Provenance(created=1.7e9, ablate="0", commit="0", python="3", packages={})
_MACHINE = Machine(
    device="cpu", device_name="A processor", threads=1, precision="float32", torch="2"
)


def labelled(variant: Variant) -> str:
    """The report of a sweep that was started with this one row, and not run yet."""
    resnets = {}
    if isinstance(variant, CnnVariant):
        resnets[variant.resnet] = random_resnet(variant.resnet)
    protocol = DEMO
    context = Context(protocol=protocol, data=DATA, weights=NANO_WEIGHTS, resnets=resnets)
    run = RunSpec(name="row", variant=variant, context=context, seed=0)
    sweep = Sweep(name="rows", title="Rows", protocol="demo", seeds=(0,), variants=("row",))
    return _report(sweep, context, [run], {}, "markdown")


def planned(sweep: Sweep) -> list[tuple[int, int, bytes]]:
    """The runs that are planned for it: seed, epochs and the logits of the model."""
    with _working_folder() as root:
        write_every_layout(root / "data")
        for name, epochs in (("short", 1), ("long", 2)):
            recipe = {"extends": "demo", "data": {"kind": "bijie"}, "epochs": epochs}
            _write_yaml(root / f"sweeps/protocols/{name}.yaml", recipe)
        _write_yaml(root / "sweeps/mine.yaml", sweep.model_dump(mode="json", exclude={"name"}))
        study = Study("mine", data=root / "data", store=root / "store", devices=["cpu"])
        runs = [run.spec for run in study.plan().plan.runs]
    return [(run.seed, run.epochs, logits(run.variant)) for run in runs]


def tuned(sweep: Sweep) -> object:
    """What its tuning tries, on which images, and what it chooses from made-up scores.

    Of the n-th trial of a row, the n-th score is the highest.
    """
    with _working_folder() as root:
        data = {"kind": "generated", "seed": 1, "count": 20, "size_px": 64}
        _write_yaml(root / "sweeps/protocols/short.yaml", {"extends": "demo", "data": data})
        _write_yaml(root / "sweeps/mine.yaml", sweep.model_dump(mode="json", exclude={"name"}))
        study = Study("mine", store=root / "store", devices=["cpu"])
        try:
            planning = study.plan_tuning(trials=len(METRIC_NAMES))
        except BadInput as error:
            return str(error)
        store = Store(root / "store")
        ledger = Ledger(planning, store)
        ledger.ask()
        for trial in ledger.trials():
            folder = store.run(trial.run.key)
            spec = planning.trial_spec_of(trial)
            folder.create(SpecFile(key=spec.key, run=spec, provenance=_PROVENANCE))
            result = _result(folder, 0.5)
            metrics = dict.fromkeys(METRIC_NAMES, 0.5) | {METRIC_NAMES[trial.number - 1]: 0.9}
            folder.publish_result(result.model_copy(update={"metrics": metrics}))
        ledger.choose()
        split = planning.inner.protocol.split
        return (
            [(trial.run.name, trial.setting) for trial in ledger.trials()],
            [row.trial for row in ledger.record.tuned],
            parts([str(number) for number in range(20)], split, None),
        )


def reported(sweep: Sweep) -> tuple[str, str]:
    """Its report as a page and as a table, from results that are made up."""
    context = Context(protocol=DEMO, data=DATA, weights=NANO_WEIGHTS)
    return _report_of(sweep, context, "markdown"), _report_of(sweep, context, "csv")


def reported_under(protocol: Protocol) -> str:
    """The page of one row's report under the protocol, beside no published table."""
    context = Context(protocol=protocol, data=DATA, weights=NANO_WEIGHTS)
    sweep = Sweep(
        name="rows", title="Rows", protocol="demo", seeds=(0,), variants=("translandseg",)
    )
    return _report_of(sweep, context, "markdown")


def _report_of(sweep: Sweep, context: Context, format: str) -> str:
    """The report of finished runs of the sweep, each row a little worse than the one before."""
    catalogue = Catalogue()
    mious = {}
    runs = []
    for row, name in enumerate(sweep.variants):
        for seed in sweep.seeds:
            run = RunSpec(name=name, variant=catalogue.variant(name), context=context, seed=seed)
            runs.append(run)
            mious[run.key] = 0.8 - 0.05 * row + 0.001 * seed * (row + 1)
    return _report(sweep, context, runs, mious, format)


def _report(
    sweep: Sweep, context: Context, runs: list[RunSpec], mious: dict[str, float], format: str
) -> str:
    """The report of the sweep; the runs with a MIoU are finished."""
    with TemporaryDirectory() as root:
        store = Store(Path(root))
        for run in runs:
            if run.key in mious:
                folder = store.run(run.key)
                folder.create(SpecFile(key=run.key, run=run, provenance=_PROVENANCE))
                result = _result(folder, mious[run.key])
                for epoch in range(1, result.epochs + 1):
                    metrics = {"miou": mious[run.key] - 0.01 * abs(epoch - result.epoch)}
                    folder.append_event(Event(epoch=epoch, step=epoch, time=0.0, metrics=metrics))
                folder.publish_result(result)
        record = store.record_sweep(sweep, context, runs)
        parameters = dict.fromkeys(required_parameters(record), _PARAMETERS)
        return render(build_report(record, store, parameters=parameters), format)


def _result(folder: RunFolder, miou: float) -> Result:
    """A made-up result, and the pixels that it agrees with."""
    confusions = leave_confusions(folder, pixels_of(miou))
    return Result(
        key=folder.key,
        epoch=7,
        epochs=8,
        steps=400,
        metrics=scores(Confusion(**confusions.pooled)) | {"miou": miou, "val_loss": 0.1},
        confusion=confusions.pooled,
        parameters=_PARAMETERS,
        weights_sha256=digest_of("weights"),
        machine=_MACHINE,
        finished=1.7e9,
        train_s=12.5,
    )


@contextlib.contextmanager
def _working_folder() -> Any:
    """A folder to work in, whose variants and sweeps are read before those that ship."""
    with TemporaryDirectory() as root, contextlib.chdir(root):
        yield Path(root)


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
