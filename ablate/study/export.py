"""``export_row``: one trained run as a folder that others can use without the store."""

from pathlib import Path

from ablate.runs import RunFolder
from ablate.study.model_card import model_card
from ablate.study.report import report_sweep
from ablate.study.trained_rows import TrainedRow


def export_row(row: TrainedRow, target: Path) -> RunFolder:
    """Writes weights, specs and model card of a row's first run into a new folder.

    Of several seeds the first is exported: to choose the best of them would make the reported mean
    a promise that the weights do not keep.

    Args:
        row: The row.
        target: The folder to make.

    Returns:
        The run that was exported.

    Raises:
        BadInput: If the target exists, or the row cannot predict.
        StoreError: If the run's files are damaged, or the target cannot be written.
    """
    from ablate.data.plain import check_free

    check_free(target)
    # Torch takes seconds to load.
    from ablate.predict.export import write_export
    from ablate.predict.ground import training_ground
    from ablate.predict.loading import checked_spec, ranges_of, trained_weights

    folder = row.folders[0]
    spec = checked_spec(folder)
    weights = trained_weights(folder)
    report = None if row.record is None else report_sweep(row.record, row.store).report
    result = folder.result()
    assert result is not None
    ground_m = training_ground(spec, row.store)
    card = model_card(spec, result, report, target.absolute().name, ground_m)
    ranges = ranges_of(spec, row.store)
    write_export(target, spec, folder.key, weights, ranges, card, ground_m)
    return folder
