"""The model card of an export: Hugging Face's front matter, and numbers of the report alone."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import yaml

from ablate.report import Report
from ablate.report.model import Row
from ablate.runs import Result
from ablate.spec import BACKBONES, RunSpec

if TYPE_CHECKING:
    from ablate.predict.merged_sam import MergedFacts
    from ablate.predict.onnx_export import OnnxFacts

_TO_FILL_IN = "TO FILL IN"
# Of the channels in 0..255, in segment_anything/modeling/sam.py.
_SAMS_MEAN, _SAMS_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
# The names of SAM's official weights on Hugging Face's hub.
_HUB_NAMES = {
    "vit_b": "facebook/sam-vit-base",
    "vit_l": "facebook/sam-vit-large",
    "vit_h": "facebook/sam-vit-huge",
}


def model_card(
    spec: RunSpec,
    result: Result,
    report: Report | None,
    folder: str,
    ground_m: float | None,
    onnx: "OnnxFacts | None" = None,
    merged: "MergedFacts | None" = None,
) -> str:
    """The card as Markdown.

    Args:
        spec: The exported run.
        result: Its result.
        report: The report of its sweep; None: no sweep names the run.
        folder: The name of the export's folder.
        ground_m: Metres that a pixel of the model's square was wide in training; None: not known.
        onnx: The graph that is in it; None: none is.
        merged: The state dict in SAM's own layout that is in it; None: none is.
    """
    row = next((row for row in report.rows if row.name == spec.name), None) if report else None
    parts = [
        f"---\n{_front_matter(spec, result)}---",
        f"# {_text(spec.label)}",
        _what_it_is(spec),
        _warning(spec),
        "## Scores",
        _own_scores(spec, result),
        *([_row_scores(report, row)] if report and row else []),
        *([_compared(report, row)] if report and row else []),
        "## Use",
        _use(spec, folder),
        *([_onnx(spec, onnx, ground_m)] if onnx else []),
        *([_merged(spec, merged)] if merged else []),
        "## Provenance",
        _provenance(spec, result, ground_m),
        "## Licence",
        f"- of these weights: {_TO_FILL_IN}\n- of the training images: {_TO_FILL_IN}\n"
        "- SAM's own weights are under Apache-2.0",
        "## Intended use and limits",
        _TO_FILL_IN,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(spec: RunSpec, result: Result) -> str:
    protocol = spec.context.protocol
    task = {"type": "image-segmentation", "name": f"segmentation of {protocol.task.positive_class}"}
    metrics = [
        {"type": name, "name": name, "value": round(result.metrics[name], 6)}
        for name in protocol.task.metrics
        if name in result.metrics
    ]
    document: dict[str, Any] = {
        "license": "other",
        "license_name": _TO_FILL_IN,
        "library_name": "ablate",
        "pipeline_tag": "image-segmentation",
        "tags": ["segment-anything", "ablate", protocol.task.positive_class],
    }
    official = BACKBONES[spec.context.weights.backbone].checkpoint_sha256
    if spec.variant.system == "sam" and spec.context.weights.sha256 == official:
        document["base_model"] = _HUB_NAMES[spec.context.weights.backbone]
    dataset = {
        "type": spec.context.data.digest[:16],
        "name": spec.context.data.label,
        "split": "validation",
    }
    results = [{"task": task, "dataset": dataset, "metrics": metrics}]
    document["model-index"] = [{"name": spec.label, "results": results}]
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10**6)


def _what_it_is(spec: RunSpec) -> str:
    protocol, weights = spec.context.protocol, spec.context.weights
    on = "" if spec.variant.system == "cnn" else f" on frozen {weights.label}"
    return (
        f"It segments {_text(protocol.task.positive_class)}: {_text(spec.label)}{on}, trained by "
        f"ablate on {spec.context.data.train:,} images of "
        f"{_text(spec.context.data.label)} at {protocol.image_size_px}×{protocol.image_size_px} "
        f"pixels, by the protocol {_text(protocol.label)}."
    )


def _warning(spec: RunSpec) -> str:
    watermark = spec.context.watermark
    return f"> {_text(watermark)}" if watermark else ""


def _own_scores(spec: RunSpec, result: Result) -> str:
    names = [name for name in spec.context.protocol.task.metrics if name in result.metrics]
    values = [f"{100 * result.metrics[name]:.2f}" for name in names]
    lines = [
        f"These weights (split {spec.split}, seed {spec.seed}, epoch {result.epoch}) on the "
        f"{spec.context.data.validation:,} validation images, in percent:",
        "",
        f"| {' | '.join(names)} |",
        f"|{'---:|' * len(names)}",
        f"| {' | '.join(values)} |",
    ]
    if result.test is not None:
        tested = [f"{name} {100 * result.test.metrics[name]:.2f}" for name in names]
        lines += ["", f"On the {result.test.images:,} test images: {', '.join(tested)}."]
    return "\n".join(lines)


def _row_scores(report: Report, row: Row) -> str:
    lines = [
        f"The row in the report of {_text(report.title)}, mean over n trainings:",
        "",
        "| metric | n | mean | sd | published |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, score in row.scores.items():
        mean = "—" if score.mean is None else f"{score.mean:.2f}"
        sd = "—" if score.sd is None else f"{score.sd:.2f}"
        lines.append(f"| {name} | {score.n} | {mean} | {sd} | {score.printed or '—'} |")
    return "\n".join(lines)


def _compared(report: Report, row: Row) -> str:
    labels = {each.name: each.label for each in report.rows}
    trained = [each.name for each in report.rows if each.missing_reason is None]
    others = ", ".join(_text(labels[name]) for name in trained if name != row.name)
    lines = [f"It was compared with {others}." if others else "It was compared with no other row."]
    baseline = _text(labels.get(report.baseline or "", report.baseline or ""))
    deltas = {"MIoU": row.delta}
    for each in report.mask_differences:
        deltas[report.metrics[each.metric]] = each.rows.get(row.name)
    for metric, delta in deltas.items():
        if delta is not None and delta.mean is not None:
            interval = (
                f", 95 % interval {delta.low:+.2f} to {delta.high:+.2f}"
                if delta.low is not None and delta.high is not None
                else ", without an interval"
            )
            lines.append(
                f"{metric} minus that of {baseline}: {delta.mean:+.2f} percentage points "
                f"(n = {delta.n}{interval})."
            )
    return " ".join(lines)


def _use(spec: RunSpec, folder: str) -> str:
    official = BACKBONES[spec.context.weights.backbone].checkpoint
    needs_file = official is not None and spec.variant.system != "cnn"
    checkpoint = f', checkpoint="{official}"' if needs_file else ""
    return (
        "```python\nimport ablate\n\n"
        f'model = ablate.load("{folder}"{checkpoint})\n'
        'mask = model.predict("image.png")\n```\n\n'
        "`weights.safetensors` holds what was trained, and nothing of what was frozen. "
        "`stac-item.json` describes the model for a STAC catalogue."
    )


def _onnx(spec: RunSpec, onnx: "OnnxFacts", ground_m: float | None) -> str:
    size = spec.context.protocol.image_size_px
    positive = _text(spec.context.protocol.task.positive_class)
    there = "" if ground_m else "; enter the ground resolution there"
    files = " and ".join(f"`{name}`" for name in onnx.files)
    return (
        f"{files}: the whole model as an ONNX graph (operators of version {onnx.opset}). Input "
        f"`images`: RGB divided by 255, B×3×{size}×{size}, which the graph normalises; output "
        f"`probabilities` of {positive}, B×1×{size}×{size}. QGIS's plug-in Deepness reads it as a "
        f"segmentation model{there}. onnxruntime and PyTorch differed by at most "
        f"{onnx.difference:.1g} in probability, in float32 on a CPU."
    )


def _merged(spec: RunSpec, merged: "MergedFacts") -> str:
    protocol, backbone = spec.context.protocol, spec.context.weights.backbone
    size, native = protocol.image_size_px, BACKBONES[backbone].image_size_px
    reader = (
        f'`sam_model_registry["{backbone}"](checkpoint="{merged.file}")`'
        if BACKBONES[backbone].checkpoint
        else f"a SAM of the geometry of {backbone}, which segment_anything's registry has not"
    )
    lines = [
        f"`{merged.file}`: all of SAM, with what was trained put into its weights, in the layout "
        f"of its own checkpoints, for {reader}. Without prompts (no points, no boxes, "
        "`multimask_output=False`) its mask is that of this row; training used no prompts, and "
        "what they give with these weights was not measured. Merging changed logits by at most "
        f"{merged.difference:.1g}."
    ]
    if size != native:
        lines.append(
            f"This row was trained at {size}×{size} pixels, and SAM's own code computes at "
            f"{native}×{native}: scores may be others there."
        )
    values = zip((*protocol.mean, *protocol.std), (*_SAMS_MEAN, *_SAMS_STD), strict=True)
    if any(abs(255 * own - sams) > 0.01 for own, sams in values):
        lines.append(
            "SAM's own code normalises images by other values than this row was trained with; "
            "`protocol.yaml` has these as `mean` and `std`."
        )
    return " ".join(lines)


def _provenance(spec: RunSpec, result: Result, ground_m: float | None) -> str:
    context = spec.context
    rows = {
        "run": result.key,
        "trained parameters": f"{result.parameters.trainable:,} of {result.parameters.total:,}",
        "SHA-256 of weights.safetensors": result.weights_sha256,
        "data": f"{_text(context.data.label)}, digest {context.data.digest}",
        "ground resolution": "not known"
        if ground_m is None
        else f"{ground_m:.3g} m for each pixel that the model sees (median of the training images)",
        "frozen weights": f"{_text(spec.weights.label)}, SHA-256 {spec.weights.sha256}",
        "engine": str(context.engine),
        "trained on": f"{_text(result.machine.device_name)}, {result.machine.precision}, "
        f"torch {result.machine.torch}",
        "exported by": f"ablate {version('ablate')}",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _text(text: str) -> str:
    """A text of users in Markdown: nothing in it is markup, and it stays in one line."""
    plain = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in plain)
