"""What the Ray executor is told, and what is refused before it uses a cluster."""

import importlib.util
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ablate.errors import BadInput
from ablate.executors import ray_connection
from ablate.executors.ray import RayExecutor, Settings
from executors.ray_cluster import has_ray
from executors.ray_executors import bridges, make

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not has_ray, reason="needs the extra `ray`"),
]


def test_an_address_where_nobody_listens_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(BadInput, match=f"at 127.0.0.1:{port} does not answer: Connection refused"):
        make(tmp_path, "finish_all", f"127.0.0.1:{port}")


def test_something_else_than_ray_that_listens_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_connection, "_ANSWERS_S", 2.0)
    before = bridges()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(BadInput, match=f"at {address} does not answer: no answer in 2 s"):
            make(tmp_path, "finish_all", address)
        assert time.monotonic() - began < 10
    assert bridges() == before


def test_other_versions_on_the_cluster_are_one_line() -> None:
    # As Ray says it (``ray._private.utils.check_version_info``).
    why = (
        "Version mismatch: The cluster was started with: Ray: 2.55.1 Python: 3.12.3 This process "
        "on node 10.0.0.1 was started with: Ray: 2.60.0 Python: 3.11.7"
    )
    assert str(ray_connection.refused("a:1", why)) == (
        "the Ray cluster at a:1 has Ray 2.55.1 and Python 3.12.3, here are Ray 2.60.0 and Python "
        "3.11.7; use the same versions in both places"
    )


@pytest.mark.parametrize("address", ["auto", "host", "host:0", "host:99999", "http://a:1", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="give HOST:PORT"):
        Settings(address=address)


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        ray_connection, "find_spec", lambda name: None if name == "ray" else found(name)
    )
    with pytest.raises(BadInput, match=r"needs Ray; pip install 'ablate\[ray\]'"):
        RayExecutor.devices(Settings(), (), _no_choice)


@pytest.mark.parametrize(
    ("settings", "named", "device", "gpus"),
    [
        ({}, (), "cpu", 0),
        ({"gpus": 1}, (), "cuda:0", 1),
        ({}, ("cuda:0",), "cuda:0", 1),
        ({"gpus": 0.5, "device": "cuda:0"}, (), "cuda:0", 0.5),
        ({"gpus": 1, "device": "cpu"}, (), "cpu", 1),
    ],
)
def test_jobs_with_a_gpu_compute_on_it(
    settings: dict[str, Any], named: tuple[str, ...], device: str, gpus: float
) -> None:
    values = Settings(jobs=2, **settings)
    devices = RayExecutor.devices(values, named, _no_choice)
    assert set(devices) == {device}
    assert len(devices) == (len(named) or 2)
    assert values.demands(device)["num_gpus"] == gpus


def test_memory_is_asked_for_in_bytes() -> None:
    demands = Settings(mem_gb=1.5, resources={"a": 1}).demands("cpu")
    assert demands["memory"] == 1_500_000_000
    assert demands["resources"] == {"a": 1}


def _no_choice(_: Sequence[str]) -> Sequence[str]:
    raise AssertionError("the devices of this machine say nothing")
