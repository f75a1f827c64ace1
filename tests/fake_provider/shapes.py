"""Checks JSON against the SDK's own typed classes: every member the class requires is there, and of a declared
type.

The SDK does not check types at run time, but its classes are annotated with everything Stripe documents.
Literals count as closed where the SDK writes them alone, and as open where it says `Union[Literal[...], str]`.
"""

import ast
import inspect
import sys
import typing
from functools import cache
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin

import stripe
from stripe import StripeObject


def problems(value: dict[str, Any], kind: type[StripeObject], path: str = "") -> list[str]:
    """What is wrong with an object, as sentences; empty if nothing is."""
    found = []
    for name, hint in _hints(kind).items():
        where = f"{path}.{name}" if path else name
        if name not in value:
            if not _nullable(hint):
                found.append(f"{where} is missing")
        else:
            found.extend(_mismatch(value[name], hint, where, kind))
    return found


def _hints(kind: type[StripeObject]) -> dict[str, Any]:
    hints = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, StripeObject) and base is not StripeObject:
            hints.update(
                {
                    name: hint
                    for name, hint in inspect.get_annotations(base).items()
                    if not name.startswith("_") and get_origin(_resolve(hint, kind)) is not typing.ClassVar
                }
            )
    return hints


def _resolve(hint: Any, owner: type[StripeObject]) -> Any:
    """Forward references and quoted annotations as types; what the SDK only imports for checkers becomes `Any`."""
    if isinstance(hint, ForwardRef):
        hint = hint.__forward_arg__
    if not isinstance(hint, str):
        return hint
    names = {**vars(typing), **_imports_for_checkers(owner.__module__), **vars(sys.modules[owner.__module__])}
    for enclosing in _enclosing(owner):
        names.update(vars(enclosing))
    return eval(hint, names)  # the SDK's own annotations


@cache
def _imports_for_checkers(module: str) -> dict[str, Any]:
    """What a module of the SDK imports under `if TYPE_CHECKING`."""
    names: dict[str, Any] = {}
    for statement in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            exec(compile(ast.Module(statement.body, []), module, "exec"), names)
    return names


def _enclosing(owner: type[StripeObject]) -> list[type]:
    found: list[type] = []
    here: Any = sys.modules[owner.__module__]
    for part in owner.__qualname__.split("."):
        here = getattr(here, part)
        found.append(here)
    return found


def _nullable(hint: Any) -> bool:
    return get_origin(hint) is Union and type(None) in get_args(hint)


def _mismatch(value: Any, hint: Any, where: str, owner: type[StripeObject]) -> list[str]:
    hint = _resolve(hint, owner)
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any or isinstance(hint, typing.TypeVar):
        return []
    if origin is Union:
        attempts = [_mismatch(value, arg, where, owner) for arg in args]
        # Of several alternatives, the one that got deepest into the value is the one that was meant.
        return min(
            attempts,
            key=lambda attempt: (len(attempt) > 0 and attempt[0].startswith(f"{where} is"), len(attempt)),
        )
    if origin is Literal:
        return [] if value in args else [f"{where} is {value!r}, not one of {args[:8]}"]
    if hint is type(None):
        return [] if value is None else [f"{where} is {value!r}, not null"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{where} is {value!r}, not a list"]
        return [
            problem
            for position, item in enumerate(value)
            for problem in _mismatch(item, args[0], f"{where}[{position}]", owner)
        ]
    target = origin or hint
    if isinstance(target, type) and issubclass(target, StripeObject):
        return _object_mismatch(value, target, args, where, owner)
    if hint is int:
        return [] if type(value) is int else [f"{where} is {value!r}, not an integer"]
    if hint is float:
        return [] if type(value) in (int, float) else [f"{where} is {value!r}, not a number"]
    if isinstance(hint, type):
        return [] if isinstance(value, hint) else [f"{where} is {value!r}, not a {hint.__name__}"]
    return [f"{where}: the SDK's annotation {hint!r} is not understood by this check"]


def _object_mismatch(
    value: Any, kind: type[StripeObject], args: tuple[Any, ...], where: str, owner: type[StripeObject]
) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where} is {value!r}, not an object"]
    if kind is stripe.ListObject:
        return [
            problem
            for position, item in enumerate(value.get("data", [None]))
            for problem in _mismatch(item, args[0], f"{where}.data[{position}]", owner)
        ]
    if kind.__name__ == "UntypedStripeObject":
        return [
            problem
            for key, item in value.items()
            for problem in _mismatch(item, args[0], f"{where}.{key}", owner)
        ]
    return problems(value, kind, where)
