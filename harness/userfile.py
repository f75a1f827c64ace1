"""Loads the user's own Python file, and answers a mistake in it with the line, the value, the rule and a near
name.

The file is imported under the name that it would have anyway: its folder (or that of its outermost package)
goes on `sys.path`, and the current folder comes last on it, so its imports work as they do for the user.
"""

import builtins
import importlib
import re
import sys
import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from harness.errors import PaychaosError, TargetError, UsageError


def load_module(path: Path) -> ModuleType:
    """The imported module. UsageError, in one line that begins with ``file.py:LINE``, when that fails."""
    root, name = import_name(path)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        module = importlib.import_module(name)
    except Exception as error:
        raise explain(error, path) from error
    found = getattr(module, "__file__", None)
    if found is None or Path(found).resolve() != path.resolve():
        raise UsageError(
            f"{path} cannot be imported: another module is named {name!r} ({found}). Rename the file."
        )
    return module


def import_name(path: Path) -> tuple[Path, str]:
    """The folder for `sys.path` and the dotted name of a file; packages are followed upwards."""
    if not path.is_file():
        raise UsageError(
            f"{path} does not exist; give a TARGET:BUILD (`paychaos list builds`) or a Python file."
        )
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise UsageError(
            f"{path.name!r} cannot be imported; name the file like a Python module: my_scenarios.py."
        )
    root, parts = path.resolve().parent, [path.stem]
    while (root / "__init__.py").is_file():
        parts.insert(0, root.name)
        root = root.parent
    return root, ".".join(parts)


def explain(error: Exception, path: Path) -> PaychaosError:
    """A one-line error for what the import raised, placed at the deepest line of the user's own file."""
    if isinstance(error, SyntaxError):
        name = Path(error.filename or path).name
        return UsageError(
            f"{name}:{error.lineno}: {error.msg}: {(error.text or '').strip()!r}."
            " Python cannot read the file."
        )
    place = _place(error, path)
    if isinstance(error, UsageError):
        return UsageError(f"{place}{error}")
    if isinstance(error, PaychaosError):
        return error
    text = f"{place}{type(error).__name__}: {str(error).rstrip('.')}."
    if isinstance(error, ModuleNotFoundError):
        return TargetError(f"{text} Install it in this environment, or run from the folder that holds it.")
    return UsageError(f"{text}{_near(error)}")


def _place(error: Exception, path: Path) -> str:
    """``file.py:12: `` of the deepest frame in the user's file; of the deepest frame at all when there is
    none.
    """
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")
    ]
    own = [frame for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    if not own:
        return f"{path.name}: "
    return f"{path.name}:{own[-1].lineno}: "


def _near(error: Exception) -> str:
    """Names the closest right name for a wrong one, when the error is about a name."""
    wrong, known = _names(error)
    close = get_close_matches(wrong, known, n=1) if wrong else []
    return f" Did you mean {close[0]!r}?" if close else ""


def _names(error: Exception) -> tuple[str, Iterable[str]]:
    """The wrong name and the names that would have been right."""
    if isinstance(error, NameError):
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        scope = {**trace.tb_frame.f_globals, **trace.tb_frame.f_locals} if trace else {}
        return str(error.name or ""), [*scope, *dir(builtins), *_public()]
    if isinstance(error, AttributeError):
        return str(error.name or ""), dir(error.obj)
    if isinstance(error, ImportError):
        match = re.match(r"cannot import name '(\w+)'", str(error))
        return (match[1] if match else ""), dir(sys.modules.get(error.name or ""))
    match = re.match(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", str(error))
    if match and isinstance(error, TypeError):
        return match[2], _keywords(match[1])
    return "", ()


def _public() -> list[str]:
    import harness

    return list(harness.__all__)


def _keywords(class_name: str) -> list[str]:
    """The keyword arguments of a class of the public surface."""
    import inspect

    import harness

    return list(inspect.signature(getattr(harness, class_name, object)).parameters)
