"""Which jobs of SLURM never start, and what somebody has to do about others."""

import pytest

from ablate.executors.slurm_reasons import advice, never_starts, repair


@pytest.mark.parametrize(
    "reason",
    [
        "AccountNotAllowed",
        "AssocMaxCpuPerJobLimit",
        "AssocMaxWallDurationPerJobLimit",
        "BadConstraints",
        "DependencyNeverSatisfied",
        "InvalidAccount",
        "InvalidQOS",
        "PartitionTimeLimit",
        "QOSMaxMemoryPerNode",
        "QOSMaxWallDurationPerJobLimit",
        "QOSMinGRES",
    ],
)
def test_a_request_that_breaks_a_rule_never_starts(reason: str) -> None:
    assert never_starts(reason)
    assert "[executor.slurm]" in repair(reason)


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "AssocGrpCpuLimit",
        "AssocMaxJobsLimit",
        "JobHeldUser",
        "PartitionDown",
        "Priority",
        "QOSMaxCpuPerUserLimit",
        "QOSMaxJobsPerUserLimit",
        "ReqNodeNotAvail, UnavailableNodes:n[1-2]",
        "Resources",
    ],
)
def test_what_others_end_is_waited_for(reason: str) -> None:
    assert not never_starts(reason)


def test_what_somebody_has_to_do_is_said() -> None:
    assert advice("JobHeldUser", "12") == "release it: `scontrol release 12`"
    assert "reserved" in str(advice("ReqNodeNotAvail, UnavailableNodes:n1", "12"))
    assert "scontrol release 12" in str(advice("launch failed requeued held", "12"))
    assert advice("Resources", "12") is None
