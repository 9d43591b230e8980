from pathlib import Path

import pytest

from ablate.registry import Catalogue
from ablate.report import Report
from ablate.spec import Protocol
from report.sweep_on_disk import SweepOnDisk, five_systems, mixed_report
from report.tuning_on_disk import TuningOnDisk, two_tuned_rows


@pytest.fixture
def protocol() -> Protocol:
    return Catalogue().protocol("demo")


@pytest.fixture
def table(tmp_path: Path, protocol: Protocol) -> SweepOnDisk:
    return SweepOnDisk(tmp_path, protocol)


@pytest.fixture
def report(table: SweepOnDisk) -> Report:
    return mixed_report(table)


@pytest.fixture
def five(table: SweepOnDisk) -> Report:
    return five_systems(table)


@pytest.fixture
def tuning(table: SweepOnDisk) -> TuningOnDisk:
    return two_tuned_rows(table)
