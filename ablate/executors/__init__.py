"""Executors take cohorts to devices. The border is one method, ``Executor.run``."""

from ablate.executors.base import Executor, Work
from ablate.executors.inline import InlineExecutor
from ablate.executors.local import LocalExecutor

__all__ = ["Executor", "InlineExecutor", "LocalExecutor", "Work"]
