"""A results folder on disk: making it, its manifest, atomic writing, and `latest`, the way to the newest."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

from results.errors import ResultsError

FORMAT = 1
"""Of the folder. Raised when an older reader would misread it; a version reads every format up to its own."""

MANIFEST = "manifest.json"
LATEST = "latest"

State = Literal["running", "finished", "interrupted"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the folder says of itself. `info` is the caller's: command, versions, seed, build and so on."""

    id: str
    state: State
    info: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turns what the disk refuses about `path` into the one error of this package."""
    try:
        yield
    except OSError as error:
        raise ResultsError(
            f"{path} cannot be written ({error.strerror or error}): results are kept as the campaign goes. "
            "Free some space, or name a folder you may write to with --out.",
            exit_code=3,
        ) from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then move it there: readers see the old text or the new one."""
    temporary = path.with_name(f".{path.name}.writing")
    with disk(path):
        try:
            write(temporary)
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Atomically, as UTF-8."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def make_folder(root: Path, id: str) -> Path:
    """A new folder `root/id`; ResultsError when it exists, has an impossible name, or cannot be made."""
    if not id or id == LATEST or id.startswith(".") or not all(c.isalnum() or c in "._-" for c in id):
        raise ResultsError(
            f"{id!r} cannot name a results folder: letters, digits, '.', '_' and '-' do, "
            f"{LATEST!r} is taken. Choose another name with --out."
        )
    folder = root / id
    with disk(folder):
        root.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            raise ResultsError(
                f"{folder} exists: results are never written over. "
                "Remove it, or choose another name with --out."
            ) from None
    return folder


def point_latest(folder: Path) -> None:
    """Make `latest` beside the folder point to it: a symlink, or a file with its name if that is refused."""
    latest = folder.with_name(LATEST)
    temporary = folder.with_name(f".{LATEST}.{folder.name}")
    with disk(latest):
        if latest.is_dir() and not latest.is_symlink():
            raise ResultsError(
                f"{latest} is a folder: it must be free to point to the newest results. Move it away."
            )
        temporary.unlink(missing_ok=True)
        try:
            temporary.symlink_to(folder.name, target_is_directory=True)
        except (OSError, NotImplementedError):
            temporary.write_text(folder.name + "\n", encoding="utf-8")
        os.replace(temporary, latest)


def resolve(path: Path) -> Path:
    """The path with a `latest` that is a file (see `point_latest`) replaced by the folder it names."""
    found = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        found = found / part
        if part == LATEST and found.is_file():
            found = found.with_name(found.read_text(encoding="utf-8").strip())
    return found


def write_manifest(folder: Path, manifest: Manifest) -> None:
    write_text(folder / MANIFEST, json.dumps(asdict(manifest), indent=2, sort_keys=True) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """ResultsError when there is none, when it is damaged, or when a newer version wrote it."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ResultsError(_no_folder(folder)) from None
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path} cannot be read ({error}). Run the campaign again.") from error
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise ResultsError(f"{path} names no format: it is not a manifest of ours. Run the campaign again.")
    if content["format"] > FORMAT:
        raise ResultsError(
            f"{folder} was written in format {content['format']}; this version reads up to {FORMAT}. "
            "Upgrade paychaos, or run the campaign again."
        )
    if content.get("state") not in get_args(State) or not isinstance(content.get("info"), dict):
        raise ResultsError(f"{path} lacks its state or info: it was edited. Run the campaign again.")
    return Manifest(str(content.get("id")), content["state"], content["info"], content["format"])


def _no_folder(folder: Path) -> str:
    siblings = [path.parent.name for path in sorted(folder.parent.glob(f"*/{MANIFEST}"))]
    close = get_close_matches(folder.name, siblings, n=1)
    hint = f" Did you mean {folder.with_name(close[0])}?" if close else ""
    return f"{folder} is not a results folder: one holds a {MANIFEST}.{hint} `paychaos run` makes one."
