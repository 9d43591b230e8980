"""What the factors of a sweep do to MIoU, as a value; ``factor_effects`` computes it."""

from ablate.spec import Frozen, Repeat


class FactorRun(Frozen):
    """One run with a result, by its levels.

    Attributes:
        name: The row's name.
        split: The number of the split.
        seed: The seed.
        levels: By factor.
        miou: Percent.
    """

    name: str
    split: int
    seed: int
    levels: dict[str, str]
    miou: float

    @property
    def repeat(self) -> Repeat:
        """What it is paired by."""
        return Repeat(self.split, self.seed)


class Effect(Frozen):
    """What one level, or two levels of two factors together, change; points of MIoU.

    Attributes:
        levels: The level of each factor that it is of: one for a main effect, two for an
            interaction.
        runs: How many runs have these levels.
        mean: The estimate; None if the runs cannot tell it.
        low: Lower end of the 95 % interval; None without a measure of noise.
        high: Upper end of it.
        missing_reason: Why there is no estimate; None if there is one.
    """

    levels: dict[str, str]
    runs: int
    mean: float | None
    low: float | None
    high: float | None
    missing_reason: str | None


class Importances(Frozen):
    """How strongly the best runs prefer some levels of a factor, by PED-ANOVA.

    Attributes:
        shares: By factor; they add up to 1.
        best: How many runs count as the best.
        runs: Of how many.
    """

    shares: dict[str, float]
    best: int
    runs: int


class Effects(Frozen):
    """What the factors of a sweep do to MIoU.

    Attributes:
        factors: The levels of each factor, in the order of the sweep.
        runs: The runs that the estimates are of.
        repeats: How many repeats these runs have.
        main: The main effects.
        interactions: The two-way interactions; of a factor with two levels only the first level,
            since that of the second is the same with the other sign.
        residual_sd: Standard deviation of the residuals, in points; None without a repeat.
        residual_df: Their degrees of freedom.
        importances: By PED-ANOVA; None where they were not computed, or nothing can be told.
        notes: What restricts the estimates.
    """

    factors: dict[str, tuple[str, ...]]
    runs: tuple[FactorRun, ...]
    repeats: int
    main: tuple[Effect, ...]
    interactions: tuple[Effect, ...]
    residual_sd: float | None
    residual_df: int
    importances: Importances | None = None
    notes: tuple[str, ...]
