"""Payouts: available money on its way to the merchant's bank.

An automatic payout takes every available transaction that was not paid out yet, and lists them as its parts:
the net of the parts equals the amount. A manual one takes an amount from the balance and has no parts.
"""

from functools import partial
from typing import Any

from fake_provider.account import Account
from fake_provider.api import transactions
from fake_provider.call import Call
from fake_provider.errors import ApiError
from fake_provider.parameters import Echo, Spec, integer, merge_metadata, metadata, text
from fake_provider.resource import Resource

CREATE = Spec(
    "amount", "currency", amount=integer(1), currency=text, description=text, metadata=metadata, method=text
)
UPDATE = Spec(metadata=metadata)
SETTABLE = frozenset({"description", "statement_descriptor", "destination"})
COMMANDS = frozenset({"expand", "metadata", "payout"})
TEMPLATE: dict[str, Any] = {
    "id": "",
    "object": "payout",
    "amount": 0,
    "application_fee": None,
    "application_fee_amount": None,
    "arrival_date": 0,
    "automatic": True,
    "balance_transaction": None,
    "created": 0,
    "currency": "",
    "description": None,
    "destination": "ba_1",
    "failure_balance_transaction": None,
    "failure_code": None,
    "failure_message": None,
    "livemode": False,
    "metadata": {},
    "method": "standard",
    "original_payout": None,
    "payout_method": None,
    "reconciliation_status": "in_progress",
    "reversed_by": None,
    "source_type": "card",
    "statement_descriptor": None,
    "status": "in_transit",
    "trace_id": None,
    "type": "bank_account",
}
OPEN = ("pending", "in_transit")
ECHO = Echo(TEMPLATE, SETTABLE, COMMANDS)


def pay_out(account: Account) -> None:
    """One automatic payout for each currency with money to pay out. Debts wait for later income."""
    if not account.profile.payout_automatic:
        return
    for currency in account.funds.currencies():
        parts = [transaction for transaction in account.unpaid if transaction["currency"] == currency]
        amount = sum(transaction["net"] for transaction in parts)
        if amount <= 0:
            continue
        account.unpaid = [
            transaction for transaction in account.unpaid if transaction["currency"] != currency
        ]
        payout = _send(account, amount, currency, {"description": "STRIPE PAYOUT"})
        own = account.unpaid.pop()  # the payout's own transaction belongs to it, not to the next payout
        account.parts[payout["id"]] = [*parts, own]


def _send(account: Account, amount: int, currency: str, members: dict[str, Any]) -> Resource:
    arrives_us = account.now_us + account.profile.payout_transit_us
    payout = account.payouts.put(
        Resource(
            {
                **TEMPLATE,
                **members,
                "id": account.ids.new("po"),
                "amount": amount,
                "currency": currency,
                "created": account.now_s,
                "arrival_date": arrives_us // 1_000_000,
            }
        )
    )
    transaction = transactions.transact(account, "payout", payout, -amount, description=payout["description"])
    payout["balance_transaction"] = transaction["id"]
    account.book(
        "payout",
        payout,
        amount,
        (("balance", -amount), ("bank", amount)),
        status=payout["status"],
        transaction=transaction,
    )
    account.emit("payout.created", payout)
    account.timers.at(arrives_us, partial(_arrive, account, payout))
    return payout


def _arrive(account: Account, payout: Resource) -> None:
    if payout["status"] not in OPEN:
        return
    payout["status"] = "paid"
    account.emit("payout.paid", payout)
    if payout["automatic"]:
        payout["reconciliation_status"] = "completed"
        account.emit("payout.reconciliation_completed", payout)


def fail(account: Account, payout: Resource, code: str = "account_closed") -> Resource:
    """The bank sends the money back, maybe after it was shown as paid."""
    if payout["status"] in ("failed", "canceled"):
        raise ApiError(
            400, f"Payout {payout['id']} cannot fail because it has a status of {payout['status']}."
        )
    _return(account, payout, "failed", "payout_failure")
    payout.change(failure_code=code, failure_message="The bank account has been closed.")
    account.emit("payout.failed", payout)
    return payout


def _return(account: Account, payout: Resource, status: str, kind: str) -> None:
    amount = payout["amount"]
    transaction = transactions.transact(account, kind, payout, amount, at_once=True)
    payout.change(status=status, failure_balance_transaction=transaction["id"])
    account.book(
        "payout_failed",
        payout,
        amount,
        (("bank", -amount), ("balance", amount)),
        status=status,
        transaction=transaction,
    )


def create(account: Account, call: Call) -> Resource:
    """POST /v1/payouts: a manual payout of available money."""
    params = call.params
    amount, currency = params["amount"], params["currency"].lower()
    if amount > account.funds.sum("available", currency):
        raise ApiError(
            400,
            "You have insufficient funds in your Stripe account. One likely reason you have insufficient funds is "
            "that your funds are automatically being paid out; try enabling manual payouts.",
            code="balance_insufficient",
        )
    members = ECHO.of(params)
    members["metadata"] = merge_metadata({}, params.get("metadata"))
    manual = {"automatic": False, "reconciliation_status": "not_applicable", "status": "pending"}
    return _send(account, amount, currency, {**members, **manual})


def retrieve(account: Account, call: Call) -> Resource:
    """GET /v1/payouts/{id}."""
    return account.payouts.find(call.object_id)


def update(account: Account, call: Call) -> Resource:
    """POST /v1/payouts/{id}: metadata only."""
    payout = account.payouts.find(call.object_id)
    previous = payout.change(metadata=merge_metadata(payout["metadata"], call.params.get("metadata")))
    if previous:
        account.emit("payout.updated", payout, previous)
    return payout


def cancel(account: Account, call: Call) -> Resource:
    """POST /v1/payouts/{id}/cancel: a manual payout that has not left yet."""
    payout = account.payouts.find(call.object_id)
    if payout["status"] != "pending":
        raise ApiError(400, f"This payout cannot be canceled because it has a status of {payout['status']}.")
    _return(account, payout, "canceled", "payout_cancel")
    account.emit("payout.canceled", payout)
    return payout
