"""The exceptions that ablate raises on purpose.

    AblateError
    ├── BadInput            the user's input is wrong; nothing was started (exit code 2)
    │   ├── SpecError       a YAML file breaks rules; carries every problem of the file
    │   ├── DataError       a data set is missing, broken or too small
    │   ├── WeightsError    a checkpoint is missing, broken or of another model
    │   └── StoreError      the store cannot be used as asked
    ├── RunFailed           one run cannot go on; becomes its ``failure.json`` (exit code 1)
    │   └── Diverged        the loss is no longer a finite number
    └── Interrupted         a stop was asked for and the state is saved (exit code 75)

Anything else that escapes is a defect of ablate itself.
"""


class AblateError(Exception):
    """Base of every exception that ablate raises on purpose."""


class BadInput(AblateError):
    """The user's input is wrong.

    Args:
        problem: What is wrong, with the offending value.
        repair: What to do about it.
    """

    def __init__(self, problem: str, repair: str) -> None:
        """Joins problem and repair into the one line that the user sees."""
        super().__init__(f"{problem}; {repair}" if repair else problem)


class SpecError(BadInput):
    """A YAML file breaks rules.

    Args:
        problems: One line for each problem: file, line, value, rule and repair.
    """

    def __init__(self, problems: list[str]) -> None:
        """Keeps the problems apart, so that all of them can be shown at once."""
        super().__init__("\n".join(problems), "")
        self.problems = problems


class DataError(BadInput):
    """A data set is missing, broken or too small."""


class WeightsError(BadInput):
    """A checkpoint is missing, broken or made for another model."""


class StoreError(BadInput):
    """The store cannot be used as asked."""


class RunFailed(AblateError):
    """One run cannot go on; the others can."""


class Diverged(RunFailed):
    """The loss is no longer a finite number."""


class Interrupted(AblateError):
    """A stop was asked for; the state is saved and the same command continues."""
