"""Builds the images that the container tests run, from what this machine has: no registry is asked.

An image is a tar file given to `docker import`: programs with the libraries that they load, and a little of /etc.
Run as ``python -m tests.live.containers.images``.
"""

import io
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.live import embedded
from tests.house.tree import ROOT

PREFIX = "paychaos-test"
POSTGRES, REDIS, TOXIPROXY, TARGET = (
    f"{PREFIX}/{name}" for name in ("postgres", "redis", "toxiproxy", "target")
)

_PASSWD = b"root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/data:/bin/sh\n"
_START_POSTGRES = b"""#!/bin/sh
set -e
[ -s /data/main/PG_VERSION ] || /pg/bin/initdb -D /data/main -U postgres -A trust --no-sync -E utf8 --locale=C
exec /pg/bin/postgres -D /data/main -h 127.0.0.1 -p "${PGPORT:-5432}" -k /tmp -c fsync=off
"""
_HEAVY = (
    "polars",
    "_polars",
    "pixeltable",
    "mypy",
    "ruff",
    "schemathesis",
    "faker",
    "jsonschema_rs",
    "hypothesis",
)


class Image:
    """Collects files, then hands them to Docker."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._files: dict[str, Path | bytes] = {"/etc/passwd": _PASSWD}

    def add(self, place: str, source: Path | bytes) -> None:
        self._files[place] = source

    def add_tree(self, place: str, source: Path, skip: Sequence[str] = ()) -> None:
        for path in sorted(source.rglob("*")):
            inside = path.relative_to(source)
            skipped = any(part == "__pycache__" or part.startswith(tuple(skip)) for part in inside.parts)
            if path.is_file() and not skipped:
                self._files[f"{place}/{inside}"] = path.resolve()

    def add_program(self, place: str, source: Path) -> None:
        """The program, and each library that it loads, where it looks for it."""
        self.add(place, source.resolve())
        self.add_libraries([source])

    def add_libraries(self, programs: Iterable[Path]) -> None:
        for program in programs:
            for library in _libraries(program):
                is_systems = str(library).startswith(("/lib", "/usr/lib"))
                self._files[str(library) if is_systems else f"/libs/{library.name}"] = library.resolve()

    def build(self, changes: Sequence[str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "root.tar"
            with tarfile.open(archive, "w", dereference=True) as tar:
                for directory, mode, owner in (
                    ("/tmp", 0o1777, 0),
                    ("/data", 0o755, 70),
                    ("/root", 0o755, 0),
                ):
                    entry = tarfile.TarInfo(directory)
                    entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, owner, owner
                    tar.addfile(entry)
                for place, source in self._files.items():
                    _add(tar, place, source)
            changes = [*changes, "ENV LD_LIBRARY_PATH=/libs"]
            words = [word for change in changes for word in ("--change", change)]
            subprocess.run(
                ["docker", "import", *words, str(archive), f"{self.name}:test"],
                check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120,
            )  # fmt: skip


def _add(tar: tarfile.TarFile, place: str, source: Path | bytes) -> None:
    if isinstance(source, bytes):
        entry = tarfile.TarInfo(place)
        entry.size, entry.mode = len(source), 0o755
        tar.addfile(entry, io.BytesIO(source))
        return
    entry = tar.gettarinfo(str(source), place)
    entry.uid = entry.gid = 0
    entry.mode |= 0o444
    with source.open("rb") as file:
        tar.addfile(entry, file)


def _libraries(program: Path) -> list[Path]:
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, timeout=20, check=False)
    return [Path(found) for found in re.findall(r"(?:=> )?(/\S+) \(0x", done.stdout)]


def build_toxiproxy() -> None:
    image = Image(TOXIPROXY)
    image.add_program("/toxiproxy-server", Path(shutil.which("toxiproxy-server") or ""))
    image.build(['ENTRYPOINT ["/toxiproxy-server"]'])


def build_redis() -> None:
    image = Image(REDIS)
    image.add_program("/redis-server", Path(shutil.which("redis-server") or ""))
    image.build(['ENTRYPOINT ["/redis-server"]'])


def build_postgres(home: Path) -> None:
    image = Image(POSTGRES)
    image.add_tree("/pg", home, skip=("include",))
    image.add_libraries([home / "bin" / name for name in ("postgres", "initdb")])
    image.add_program("/bin/sh", Path("/bin/sh"))
    image.add("/start", _START_POSTGRES)
    image.build(['ENTRYPOINT ["/start"]', "USER 70", "ENV LC_ALL=C"])


def build_target() -> None:
    """Our Python, the packages that the checkout needs, and the checkout itself."""
    image = Image(TARGET)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    standard = Path(sysconfig.get_path("stdlib"))
    image.add_program("/python/bin/python", Path(sys.executable))
    image.add_tree(
        f"/python/lib/{version}", standard, skip=("test", "site-packages", "idlelib", "config-", "ensurepip")
    )
    image.add_libraries(standard.glob("lib-dynload/*.so"))
    packages = Path(sysconfig.get_path("purelib"))
    image.add_tree("/site", packages, skip=_HEAVY)
    image.add_libraries(
        path for path in packages.rglob("*.so") if not path.relative_to(packages).parts[0].startswith(_HEAVY)
    )
    image.add_tree("/app/targets", ROOT / "targets")
    image.build(
        [
            'ENTRYPOINT ["/python/bin/python"]',
            "ENV PYTHONHOME=/python",
            "ENV PYTHONPATH=/app:/site",
            "WORKDIR /app",
        ]
    )


def build_all() -> None:
    build_toxiproxy()
    build_redis()
    build_postgres(embedded.postgres_home())
    build_target()


if __name__ == "__main__":
    build_all()
