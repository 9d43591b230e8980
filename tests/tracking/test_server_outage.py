"""The mirror follows a sweep while its server, a real one, is killed and comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_store import conclude, fake_store, log_epochs, worked_on
from test_follow import LIMIT_S, following, wait_until

from tracking.mlflow_server import MlflowServer, mirrored


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path / "server")
    server.start()
    yield server
    server.kill()


def test_a_server_that_is_killed_comes_back(tmp_path: Path, server: MlflowServer) -> None:
    fake = fake_store(tmp_path / "store", names=["translandseg"])
    folder, log = fake.begin(0), tmp_path / "log"
    with following(fake, log, server.uri) as (process, stop), worked_on(folder):
        log_epochs(folder, 1, 2)
        wait_until(lambda: len(mirrored(server.database).steps) == 2, "two epochs")
        server.kill()
        log_epochs(folder, 3, 3)
        wait_until(lambda: "Connection refused" in log.read_text(), "its complaint")
        assert process.is_alive()
        server.start()
        log_epochs(folder, 4, 4)
        conclude(folder)
        stop.close()
        process.join(LIMIT_S)
        assert process.exitcode == 0
    found = mirrored(server.database)
    assert found.is_whole
    assert len(found.steps) == 4
