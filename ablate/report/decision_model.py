"""What it would take to decide the claims of a sweep, as a value."""

from typing import Literal

from ablate.spec import Frozen

Outcome = Literal["decided", "more", "not with these images", "too many", "cannot tell"]


class PairDecision(Frozen):
    """What it would take to tell two rows apart; percentage points of MIoU.

    Attributes:
        better: The variant that the claim puts ahead.
        worse: The variant that it puts behind.
        difference: Mean of the repeats seen so far, minus what the claim says of it at least; None
            where nothing was measured.
        power: How often so many units as there are would tell this difference; None with one unit.
        power_unlimited: How often infinitely many would, on the same images.
        units: The number of units that tells it; None where no number does or none is known.
    """

    better: str
    worse: str
    difference: float | None = None
    power: float | None = None
    power_unlimited: float | None = None
    units: int | None = None


class ClaimDecision(Frozen):
    """What it would take to decide one claim.

    Attributes:
        claim: The sentence.
        reproduced: The verdict so far.
        outcome: ``decided``: the verdict holds with the repeats there are; ``more``: with as many
            units as ``units`` says; ``not with these images``: the images alone leave the interval
            over zero too often, whatever the number of units; ``too many``: of no number of units
            that a sweep may have; ``cannot tell``: ``reason`` says why.
        reason: Why nothing can be told; None where it can.
        units_now: The fewest units of its rows.
        power_unlimited: How often infinitely many units would decide it at most, on the same
            images; None where nothing is known of trainings.
        units: The number of units that decides it; None unless the outcome is ``more``.
        runs: How many runs those are beside the ones there are.
        device_h: The device hours of those runs.
        pairs: The rows that it compares.
    """

    claim: str
    reproduced: str
    outcome: Outcome
    reason: str | None
    units_now: int
    power_unlimited: float | None
    units: int | None
    runs: int
    device_h: float
    pairs: tuple[PairDecision, ...]

    def text(self, unit: str) -> str:
        """What it would take, in words."""
        match self.outcome:
            case "more":
                return f"{self.units} {unit}s"
            case "decided":
                return "decided"
            case "cannot tell":
                return f"cannot tell: {self.reason}"
            case "too many":
                return f"more {unit}s than a sweep may have"
            case _:
                share = 100 * (self.power_unlimited or 0)
                return f"not with these images: {share:.0f} % of sweeps at most"


class Decision(Frozen):
    """What it would take to decide the claims of a sweep.

    Attributes:
        sweep: The sweep's name.
        unit: What is repeated: ``seed``, or, where there are several splits, ``split``, each with
            as many seeds as now.
        seeds_per_unit: How many runs of a row a unit has.
        tests: The number of pairs in all claims, among which the 5 % are shared out.
        power: How often a claim is to be decided.
        claims: In the order of the sweep.
        runs: The runs that decide all claims whose outcome is ``more``.
        device_h: Their device hours.
    """

    sweep: str
    unit: Literal["seed", "split"]
    seeds_per_unit: int
    tests: int
    power: float
    claims: tuple[ClaimDecision, ...]
    runs: int
    device_h: float

    def rows(self) -> list[dict[str, str | int | float | None]]:
        """One row for each claim: the verdict so far, the units there are, and what it takes."""
        is_more = [claim.outcome == "more" for claim in self.claims]
        return [
            {
                "claim": claim.claim,
                "so far": claim.reproduced,
                f"{self.unit}s": claim.units_now,
                "to decide it": claim.text(self.unit),
                "more runs": claim.runs if more else None,
                "device hours": claim.device_h if more else None,
            }
            for claim, more in zip(self.claims, is_more, strict=True)
        ]

    def sentences(self) -> list[str]:
        """What all of it takes, and what the numbers rest on."""
        each = "" if self.seeds_per_unit == 1 else f" (each with {self.seeds_per_unit} seeds)"
        sentences = [
            f"Counted in {self.unit}s{each}. The differences and variances seen so far are taken "
            f"for the true ones. Decided: in {100 * self.power:.0f} % of sweeps, by 95 % intervals "
            f"that allow for all {self.tests} pairs of the claims together (Bonferroni; Holm's "
            "procedure decides no later)."
        ]
        if self.runs:
            sentences.insert(
                0,
                f"Together: {self.runs:,} more runs, {self.device_h:.2f} device hours at the speed "
                "of the runs so far.",
            )
        return sentences
