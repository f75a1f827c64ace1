"""What live tests share: a Toxiproxy server, started once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.live.infra import start_toxiproxy
from harness.live.toxiproxy import Toxiproxy
from tests.conftest import Require


@pytest.fixture(scope="session")
def toxiproxy(require: Require, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toxiproxy]:
    require(shutil.which("toxiproxy-server"), "toxiproxy-server", "`paychaos doctor` says how to get it.")
    log = tmp_path_factory.mktemp("toxiproxy") / "toxiproxy.log"
    child, server = start_toxiproxy(Path(shutil.which("toxiproxy-server") or ""), log)
    yield server
    child.stop()
