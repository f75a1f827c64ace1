"""What every test may use: the switch that turns a skip into a failure where everything must be there."""

import os
import sys
from collections.abc import Callable, Iterator

import pytest

Require = Callable[[object, str, str], None]


@pytest.fixture(autouse=True)
def import_path_as_before() -> Iterator[None]:
    """A test may load a user's file, which puts its folder on `sys.path`; the next test must not see it."""
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture(scope="session")
def require() -> Require:
    """``require(found, "redis-server", "apt-get install redis-server")`` skips the test unless `found`.

    With PAYCHAOS_REQUIRE_ALL=1, as in CI, a missing thing fails the test instead: nothing is skipped unseen.
    """

    def check(found: object, what: str, remedy: str) -> None:
        if found:
            return
        text = f"{what} is missing. {remedy}"
        if os.environ.get("PAYCHAOS_REQUIRE_ALL") == "1":
            pytest.fail(f"{text} (PAYCHAOS_REQUIRE_ALL=1 allows no skip)")
        pytest.skip(text)

    return check
