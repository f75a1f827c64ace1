"""A process's own copy of the target's modules, as it would have in a process of its own.

Two instances of one service must not share module globals, and a restarted one must not remember any. So the
target's modules (everything under the top-level package of an entry, and modules named `private`) are imported
once per instance; `sys.modules` shows the copies of the process that runs.
"""

import importlib
import sys
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from harness.errors import PaychaosError, TargetError, did_you_mean


class ModuleSpace:
    """The private modules of one process instance, or (one of them) of the harness itself.

    roots: top-level names that are private; the same for every process of a target.
    """

    def __init__(self, roots: Iterable[str] = ()) -> None:
        self.roots = frozenset(roots)
        self._modules: dict[str, ModuleType] = {}

    def covers(self, name: str) -> bool:
        return any(name == root or name.startswith(root + ".") for root in self.roots)

    def load(self, entry: str) -> Any:
        """Imports ``module:name`` into this space. Raises TargetError when that fails."""
        activate(self)
        module_name, _, attribute = entry.partition(":")
        try:
            loaded: Any = importlib.import_module(module_name)
            for part in attribute.split("."):
                loaded = getattr(loaded, part)
        except PaychaosError:
            raise
        except BaseException as error:
            near = (
                did_you_mean(error.name, dir(error.obj))
                if isinstance(error, AttributeError) and error.name
                else ""
            )
            raise TargetError(
                f"the target cannot be imported: {entry!r} raised {type(error).__name__}: {error}.{near}"
                f" Try `python -c 'import {module_name}'` in the same folder and environment."
            ) from error
        return loaded

    def _put_away(self, newly_imported: Iterable[str]) -> None:
        shown = sys.modules
        names = [*self._modules, *(name for name in newly_imported if self.covers(name))]
        self._modules = {name: shown.pop(name) for name in names if name in shown}

    def _put_back(self) -> None:
        sys.modules.update(self._modules)


_OUTSIDE = ModuleSpace()
_active = _OUTSIDE


def space_for(roots: Iterable[str]) -> ModuleSpace:
    """A new, empty space. What the harness itself has imported under these names stays its own."""
    space = ModuleSpace(roots)
    fresh = space.roots - _OUTSIDE.roots
    if fresh:
        activate(None)
        _OUTSIDE.roots |= fresh
        _finder.seen.extend(name for name in sys.modules if _OUTSIDE.covers(name))
    return space


def activate(space: ModuleSpace | None) -> None:
    """Makes `sys.modules` show this space's copies; None shows the harness's own modules again."""
    global _active
    wanted = space or _OUTSIDE
    if wanted is _active:
        return
    _active._put_away(_finder.seen)
    _finder.seen.clear()
    wanted._put_back()
    _active = wanted


class _Finder:
    """First on `sys.meta_path`: sees the name of every module that is about to be imported, finds none."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        self.seen.append(name)
        return None


_finder = _Finder()
sys.meta_path.insert(0, _finder)
