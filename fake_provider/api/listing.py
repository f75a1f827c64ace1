"""List endpoints: newest first, cursors, filters."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from fake_provider.account import Account
from fake_provider.call import Call
from fake_provider.errors import ApiError, missing_object
from fake_provider.parameters import Spec, integer, text
from fake_provider.resource import Resource

FIELDS = Spec(limit=integer(1, 100), starting_after=text, ending_before=text)
DEFAULT_LIMIT = 10
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "gt": int.__gt__,
    "gte": int.__ge__,
    "lt": int.__lt__,
    "lte": int.__le__,
}
_BOUND = integer(0)


def lister(shelf: str, *filters: str, required: tuple[str, ...] = ()) -> Callable[[Account, Call], Resource]:
    """An operation that lists a shelf; `filters` are parameters that must equal the member of the same name."""

    def run(account: Account, call: Call) -> Resource:
        for name in required:
            if not call.params.get(name):
                raise ApiError(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
        wanted = {name: call.params[name] for name in filters if call.params.get(name)}
        return page(
            call,
            reversed(account.shelves[shelf].values()),
            account.shelves[shelf],
            account.shelves[shelf].noun,
            wanted,
        )

    return run


def page(
    call: Call, newest_first: Iterable[Resource], known: dict[str, Any], noun: str, wanted: dict[str, Any]
) -> Resource:
    """The list object of what matches, after or before the cursor."""
    params = call.params
    for cursor in ("starting_after", "ending_before"):
        if params.get(cursor) and params[cursor] not in known:
            raise missing_object(noun, params[cursor], cursor, status=400)
    created = _created(params.get("created"))
    matching = (
        item
        for item in newest_first
        if not item.get("deleted")
        and created(item)
        and all(item.get(name) == value for name, value in wanted.items())
    )
    limit = params.get("limit") or DEFAULT_LIMIT
    before = params.get("ending_before")
    items = (
        _until(matching, before)[-limit - 1 :]
        if before
        else list(islice(_after(matching, params.get("starting_after")), limit + 1))
    )
    has_more = len(items) > limit
    shown = (items[-limit:] if before else items[:limit]) if has_more else items
    return Resource({"object": "list", "data": shown, "has_more": has_more, "url": call.path})


def _after(items: Iterator[Resource], cursor: str | None) -> Iterator[Resource]:
    if cursor:
        for item in items:
            if item["id"] == cursor:
                break
    return items


def _until(items: Iterator[Resource], cursor: str) -> list[Resource]:
    found = []
    for item in items:
        if item["id"] == cursor:
            break
        found.append(item)
    return found


def _created(wanted: Any) -> Callable[[Resource], bool]:
    """The test for `created`, either one second or a hash of bounds."""
    if not wanted:
        return lambda _: True
    if not isinstance(wanted, dict):
        second = _BOUND("created", wanted)
        return lambda item: bool(item["created"] == second)
    bounds = []
    for name, value in wanted.items():
        if name not in _COMPARISONS:
            raise ApiError(
                400,
                f"Received unknown parameter: created[{name}]",
                code="parameter_unknown",
                param=f"created[{name}]",
            )
        bounds.append((_COMPARISONS[name], _BOUND(f"created[{name}]", value)))
    return lambda item: all(compare(item["created"], bound) for compare, bound in bounds)
