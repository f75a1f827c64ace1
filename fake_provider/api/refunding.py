"""How money goes back: refund objects, their money and their later fate."""

from functools import partial
from typing import Any

from fake_provider.account import Account
from fake_provider.api import transactions
from fake_provider.resource import Resource

TEMPLATE: dict[str, Any] = {
    "id": "",
    "object": "refund",
    "amount": 0,
    "balance_transaction": None,
    "charge": None,
    "created": 0,
    "currency": "",
    "destination_details": None,
    "metadata": {},
    "payment_intent": None,
    "reason": None,
    "receipt_number": None,
    "source_transfer_reversal": None,
    "status": "succeeded",
    "transfer_reversal": None,
}


def _new(
    account: Account, charge: Resource, amount: int, reason: str | None, members: dict[str, Any]
) -> Resource:
    refund_id = account.ids.new("re")
    return account.refunds.put(
        Resource(
            {
                **TEMPLATE,
                **members,
                "id": refund_id,
                "amount": amount,
                "charge": charge["id"],
                "created": account.now_s,
                "currency": charge["currency"],
                "payment_intent": charge["payment_intent"],
                "reason": reason,
                "destination_details": {
                    "type": "card",
                    "card": {
                        "reference": f"{len(account.refunds):023d}",
                        "reference_status": "available",
                        "reference_type": "acquirer_reference_number",
                        "type": "refund",
                    },
                },
            }
        )
    )


def synthetic(account: Account, charge: Resource, amount: int, reason: str | None) -> Resource:
    """The refund object of a hold that was given back: no balance ever changed, so it has no transaction."""
    refund = _new(account, charge, amount, reason, {})
    account.emit("refund.created", refund)
    return refund


def refund_charge(
    account: Account, charge: Resource, amount: int, reason: str | None, members: dict[str, Any]
) -> Resource:
    """Gives `amount` of a captured charge back. The caller has checked that there is as much left to refund."""
    refund = _new(account, charge, amount, reason, members)
    transaction = transactions.transact(account, "refund", refund, -amount, description=None)
    refund["balance_transaction"] = transaction["id"]
    fate, delay_us = _fate(account, charge)
    if fate == "pending":
        refund.change(status="pending", pending_reason="processing")
    refunded = charge["amount_refunded"] + amount
    charge.change(amount_refunded=refunded, refunded=refunded == charge["amount"])
    account.book(
        "refund",
        refund,
        amount,
        (("balance", -amount), ("cardholder", amount)),
        status=refund["status"],
        charge=charge,
        transaction=transaction,
    )
    account.emit("refund.created", refund)
    account.emit("charge.refunded", charge)
    if fate == "pending":
        account.after(delay_us, partial(_succeed, account, refund))
    elif fate == "failed":
        account.after(delay_us, partial(fail, account, refund))
    return refund


def _fate(account: Account, charge: Resource) -> tuple[str, int]:
    for fate in ("pending", "failed"):
        scripted = account.misbehaves(f"refund_{fate}")
        if scripted:
            return fate, scripted.parameter("delay_us")
    return account.cards[charge["payment_method"]].refund, account.profile.settles_us


def _succeed(account: Account, refund: Resource) -> None:
    if refund["status"] == "pending":
        account.emit("refund.updated", refund, refund.change(status="succeeded", pending_reason=None))


def fail(
    account: Account, refund: Resource, status: str = "failed", reason: str = "expired_or_canceled_card"
) -> None:
    """The money comes back to the merchant: the charge counts as not refunded by this amount any more."""
    charge, amount = account.charges[refund["charge"]], refund["amount"]
    transaction = transactions.transact(account, "refund_failure", refund, amount, at_once=True)
    previous = refund.change(
        status=status,
        failure_reason=reason,
        pending_reason=None,
        failure_balance_transaction=transaction["id"],
    )
    charge.change(amount_refunded=charge["amount_refunded"] - amount, refunded=False)
    account.book(
        "refund_failed",
        refund,
        amount,
        (("balance", amount), ("cardholder", -amount)),
        status=status,
        charge=charge,
        transaction=transaction,
    )
    account.emit("refund.failed" if status == "failed" else "refund.updated", refund, previous)
    if status == "failed":
        account.emit("charge.refund.updated", refund, previous)
