"""``export_row``: one trained run as a folder that others can use without the store."""

from pathlib import Path

from ablate.runs import RunFolder
from ablate.study.model_card import model_card
from ablate.study.report import report_sweep
from ablate.study.trained_rows import TrainedRow


def export_row(
    row: TrainedRow,
    target: Path,
    *,
    onnx: bool = False,
    merged: bool = False,
    checkpoint: Path | None = None,
) -> RunFolder:
    """Writes weights, specs and model card of a row's first run into a new folder.

    Of several seeds the first is exported: to choose the best of them would make the reported mean
    a promise that the weights do not keep.

    Args:
        row: The row.
        target: The folder to make.
        onnx: Whether the whole model is written as an ONNX graph, too.
        merged: Whether it is written as a state dict in SAM's own layout, too.
        checkpoint: SAM's weights, where the whole model is needed; None: where the store has last
            seen them.

    Returns:
        The run that was exported.

    Raises:
        BadInput: If the target exists, or the row cannot predict, or has no such form.
        StoreError: If the run's files are damaged, or the target cannot be written.
        WeightsError: If the whole model is needed, and its SAM is missing or another.
    """
    from ablate.data.plain import check_free

    check_free(target)
    # Torch takes seconds to load.
    import torch

    from ablate.predict.export import new_export, write_export
    from ablate.predict.ground import training_ground
    from ablate.predict.loading import (
        checked_spec,
        find_checkpoint,
        load_runs,
        ranges_of,
        trained_weights,
    )
    from ablate.predict.merged_sam import check_mergeable, write_merged
    from ablate.predict.onnx_export import check_onnx_packages, write_onnx

    folder = row.folders[0]
    spec = checked_spec(folder)
    if onnx:
        check_onnx_packages()
    if merged:
        check_mergeable(spec)
    weights = trained_weights(folder)
    report = None if row.record is None else report_sweep(row.record, row.store).report
    result = folder.result()
    assert result is not None
    ground_m = training_ground(spec, row.store)
    with new_export(target) as partial:
        graph = state_dict = None
        if onnx or merged:
            (model,) = load_runs([folder], checkpoint, torch.device("cpu"))
            if onnx:
                graph = write_onnx(model, partial, ground_m)
            if merged:
                found = find_checkpoint(spec, checkpoint, row.store)
                state_dict = write_merged(model, found, partial)
        name = target.absolute().name
        card = model_card(spec, result, report, name, ground_m, graph, state_dict)
        ranges = ranges_of(spec, row.store)
        write_export(partial, spec, folder.key, weights, ranges, card, ground_m)
    return folder
