"""One user's machine for all tests of this folder: setting it up takes seconds."""

import pytest

from tests.own_service.machine import UsersMachine, set_up


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> UsersMachine:
    return set_up(tmp_path_factory.mktemp("own-service"))
