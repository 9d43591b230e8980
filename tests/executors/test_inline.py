"""The inline executor keeps the promises, in this process."""

import os
from pathlib import Path

from ablate.executors import Executor, InlineExecutor
from ablate.plan import PlannedRun
from executors.conformance import ExecutorConformance, finish_all


class TestInline(ExecutorConformance):
    def executor(self, tmp_path: Path) -> Executor:
        return InlineExecutor("cpu")

    def test_it_is_this_process(self, tmp_path: Path, runs: list[PlannedRun]) -> None:
        self.executor(tmp_path).run(self.groups(runs), finish_all)
        for run in runs:
            result = run.folder.result()
            assert result is not None
            assert result.machine.device_name == str(os.getpid())
