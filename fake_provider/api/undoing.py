"""Undoing an effect that the provider takes back after it has answered 5xx: money returns the way money
returns."""

from fake_provider.account import Account
from fake_provider.api import charging, paying, refunding
from fake_provider.api.intent_shape import CANCELABLE
from fake_provider.resource import Resource


def undo(account: Account, effect: Resource) -> None:
    """Takes back what an operation that returned `effect` did, as far as it moved money."""
    kind = effect.get("object")
    if kind == "refund" and effect["status"] in ("succeeded", "pending"):
        refunding.fail(account, effect, "failed", "declined")
    elif kind == "charge":
        _return_charge(account, effect)
    elif kind == "payment_intent":
        if effect["status"] == "succeeded":
            _return_charge(account, account.charges[effect["latest_charge"]])
        elif effect["status"] in CANCELABLE:
            paying.cancel_intent(account, effect, "automatic")


def _return_charge(account: Account, charge: Resource) -> None:
    left = charge["amount"] - charge["amount_refunded"]
    if charge["status"] != "succeeded" or left <= 0:
        return
    if charge["captured"]:
        refunding.refund_charge(account, charge, left, None, {})
    else:
        charging.release(account, charge)
