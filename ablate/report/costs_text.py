"""The words and numbers of a cost, for tables and for the statement on compute."""

from collections.abc import Sequence

from ablate.report.costs_model import CostLine, Peak, Spent, Worker

_HOUR_S = 3600.0
# From this total on, hours are easier to read than seconds.
_LONG_S = 10 * _HOUR_S


def unit_of(total: CostLine) -> str:
    """The unit of time of a whole table: s or h."""
    return "h" if total.all.device_s >= _LONG_S else "s"


def time_text(seconds: float, unit: str) -> str:
    """A time in the table's unit, without it."""
    return f"{seconds / _HOUR_S:.2f}" if unit == "h" else f"{seconds:.1f}"


def gigabytes(count: int) -> str:
    """Bytes in 10⁹, without the unit."""
    return f"{count / 1e9:.2f}"


def watt_hours(joules: float) -> str:
    """Energy in Wh, without the unit."""
    return f"{joules / _HOUR_S:.2f}"


def compute_paragraph(lines: Sequence[CostLine], total: CostLine, workers: Sequence[Worker]) -> str:
    """What the checklists of machine-learning conferences ask about compute.

    The type of workers, memory, time of each run and in total, and whether failed and preliminary
    experiments are in it: NeurIPS Paper Checklist, "Experiments compute resources",
    https://neurips.cc/public/guides/PaperChecklist.
    """
    if not total.recorded:
        return "The cost of these runs is not recorded."
    unit = unit_of(total)
    sentences = [
        f"{_runs(total)} on {_workers(workers)}.",
        *_per_run(total, unit),
        *_memory(total.peak),
        f"In all {_duration(total.all.device_s)} of the device: {_parts(lines, unit)}.",
        *_beside_others(total.all),
        _energy(total.all),
        _scope(lines),
    ]
    if total.recorded < total.runs:
        missing = total.runs - total.recorded
        sentences.append(f"The cost of {_count(missing, 'further run')} is not recorded.")
    return " ".join(sentences)


def _runs(total: CostLine) -> str:
    attempts = total.all.attempts
    text = f"{_count(total.recorded, 'run')} in {_count(attempts, 'attempt')}"
    if total.most_shared_by > 1:
        return f"{text}, at most {total.most_shared_by} at once,"
    return text


def _workers(workers: Sequence[Worker]) -> str:
    return "; ".join(
        f"{'the processor' if worker.is_processor else 'the accelerator'} {worker.device_name}"
        + (f" ({_count(worker.attempts, 'attempt')})" if len(workers) > 1 else "")
        for worker in workers
    )


def _per_run(total: CostLine, unit: str) -> list[str]:
    if total.per_run_s is None:
        return []
    share = ", as its share of the time of those trained together" * (total.most_shared_by > 1)
    return [
        f"A run that is done took {time_text(total.per_run_s, unit)} {unit} in the mean{share}."
    ]


def _memory(peak: Peak | None) -> list[str]:
    if peak is None:
        return []
    memory = peak.memory
    whose = "of the accelerator" if memory.where == "device" else "of the process"
    reserved = memory.reserved_bytes
    also = f" (reserved: {gigabytes(reserved)} GB)" if reserved is not None else ""
    together = f", with {peak.shared_by} runs at once" if peak.shared_by > 1 else ""
    return [f"Peak memory {whose}: {gigabytes(memory.held_bytes)} GB{also}{together}."]


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s ({seconds / _HOUR_S:.2f} h)"


def _parts(lines: Sequence[CostLine], unit: str) -> str:
    rows = [line for line in lines if line.kind == "row"]
    parts = [
        ("attempts with a result", [line.done for line in rows]),
        ("failed ones", [line.failed for line in rows]),
        ("abandoned ones", [line.abandoned for line in rows]),
        ("those under way", [line.running for line in rows if line.running.attempts]),
    ]
    texts = [
        f"{time_text(sum(each.device_s for each in spent), unit)} {unit} for {name}"
        for name, spent in parts
        if spent
    ]
    texts += [
        f"{time_text(line.all.device_s, unit)} {unit} for {line.label}"
        for line in lines
        if line.kind != "row"
    ]
    return ", ".join(texts)


def _beside_others(spent: Spent) -> list[str]:
    if not spent.beside_others:
        return []
    return [
        f"{_count(spent.beside_others, 'attempt')} could share the device with others: each counts "
        "with all of its own time, so that they add up to more than the device's."
    ]


def _energy(spent: Spent) -> str:
    if spent.energy_j is None:
        return "Energy is not recorded."
    some = ""
    if spent.with_energy < spent.attempts:
        some = f", counted in {spent.with_energy} of {spent.attempts} attempts"
    return f"Energy of the accelerators: {watt_hours(spent.energy_j)} Wh{some}."


def _scope(lines: Sequence[CostLine]) -> str:
    kinds = {line.kind for line in lines}
    included = ["failed and abandoned attempts"]
    included += ["rows as they were before"] * ("changed" in kinds)
    included += ["all trials of the tuning"] * ("trials" in kinds)
    return (
        f"Included: {', '.join(included)}. Not included: what was computed in other stores or "
        "outside of ablate."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
