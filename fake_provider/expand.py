"""`expand[]`: ids in an answer replaced by the objects they name, as deep as the client asks.

A member that holds no id we know is left alone. Expansion copies what it changes: stored objects never hold
other objects.
"""

from typing import Any

from fake_provider.account import Account
from fake_provider.errors import ApiError

MAX_DEPTH = 4
_SHELVES = {
    "pi": "payment_intents",
    "ch": "charges",
    "re": "refunds",
    "cus": "customers",
    "pm": "payment_methods",
    "txn": "balance_transactions",
    "po": "payouts",
    "dp": "disputes",
    "cs": "sessions",
}


def check(paths: Any) -> None:
    """Raises the 400 answer for paths that are no list of texts or go too deep."""
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise ApiError(400, "Invalid array: expand must be a list of paths.", param="expand")
    for path in paths:
        names = path.split(".")
        if len(names) - (names[0] == "data") > MAX_DEPTH:
            raise ApiError(
                400,
                f"You cannot expand more than {MAX_DEPTH} levels of a property. Property: {path[:80]}",
                param="expand",
            )


def expand(account: Account, answer: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    """The answer with every path expanded."""
    for path in paths:
        answer = _expand(account, answer, path.split("."))
    return answer


def _expand(account: Account, holder: dict[str, Any], names: list[str]) -> dict[str, Any]:
    name, rest = names[0], names[1:]
    value = holder.get(name)
    if value is None:
        value = _virtual(account, holder, name)
    found = _object(account, value)
    if rest and isinstance(found, dict):
        found = _expand(account, found, rest)
    elif isinstance(found, list):
        objects = [_object(account, item) for item in found]
        found = [
            _expand(account, item, rest) if rest and isinstance(item, dict) else item for item in objects
        ]
    if found is None:
        return holder
    return {**holder, name: found}


def _object(account: Account, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    shelf = _SHELVES.get(value.partition("_")[0])
    return account.shelves[shelf].get(value, value) if shelf else value


def _virtual(account: Account, holder: dict[str, Any], name: str) -> Any:
    """Members that exist only when they are asked for."""
    kind, object_id = holder.get("object"), holder.get("id")
    if kind == "charge" and name == "refunds":
        return _list(
            [refund for refund in account.refunds.values() if refund["charge"] == object_id],
            f"/v1/charges/{object_id}/refunds",
        )
    if kind == "charge" and name == "dispute":
        return next(
            (dispute["id"] for dispute in account.disputes.values() if dispute["charge"] == object_id), None
        )
    if kind == "payment_intent" and name == "charges":
        return _list(
            [charge for charge in account.charges.values() if charge["payment_intent"] == object_id],
            f"/v1/charges?payment_intent={object_id}",
        )
    if kind == "checkout.session" and name == "line_items":
        return account.line_items.get(str(object_id))
    return None


def _list(items: list[Any], url: str) -> dict[str, Any]:
    return {"object": "list", "data": items[::-1], "has_more": False, "url": url}
