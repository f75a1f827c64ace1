"""How money moves: holds, sales, captures and their ends, for payment intents and bare charges alike.

`authorize` is the only way money starts to move; `settle`, `capture_charge`, `release` and the expiry of a hold
are the only ways on. Each books the ledger and emits the charge's own event; what happens to an intent is the
business of `paying`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from fake_provider.account import Account
from fake_provider.api import disputes, payment_methods, refunding, transactions
from fake_provider.cards import Card, Decline, decline_of
from fake_provider.errors import ApiError
from fake_provider.resource import Resource

TEMPLATE: dict[str, Any] = {
    "id": "",
    "object": "charge",
    "amount": 0,
    "amount_captured": 0,
    "amount_refunded": 0,
    "application": None,
    "application_fee": None,
    "application_fee_amount": None,
    "balance_transaction": None,
    "billing_details": payment_methods.NO_BILLING,
    "calculated_statement_descriptor": "FAKE PROVIDER",
    "captured": False,
    "created": 0,
    "currency": "",
    "customer": None,
    "description": None,
    "disputed": False,
    "failure_balance_transaction": None,
    "failure_code": None,
    "failure_message": None,
    "fraud_details": {},
    "livemode": False,
    "metadata": {},
    "on_behalf_of": None,
    "outcome": None,
    "paid": False,
    "payment_intent": None,
    "payment_method": None,
    "payment_method_details": None,
    "radar_options": {},
    "receipt_email": None,
    "receipt_number": None,
    "receipt_url": None,
    "refunded": False,
    "review": None,
    "shipping": None,
    "source_transfer": None,
    "statement_descriptor": None,
    "statement_descriptor_suffix": None,
    "status": "succeeded",
    "transfer_data": None,
    "transfer_group": None,
}
APPROVED = {
    "advice_code": None,
    "network_advice_code": None,
    "network_decline_code": None,
    "network_status": "approved_by_network",
    "reason": None,
    "risk_level": "normal",
    "risk_score": 20,
    "seller_message": "Payment complete.",
    "type": "authorized",
}


def check_params(account: Account, params: dict[str, Any]) -> None:
    """`check_amount` for what a request gives; part of validation, so its refusals are not stored."""
    check_amount(account, params["amount"], params["currency"])


def check_amount(account: Account, amount: int, currency: str) -> None:
    """Raises the 400 answers for amounts and currencies that cannot be charged."""
    if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
        raise ApiError(400, f"Invalid currency: {currency[:20]}.", param="currency")
    if amount > 99_999_999:
        raise ApiError(
            400,
            "Amount must be no more than 999,999.99 " + currency.lower(),
            code="amount_too_large",
            param="amount",
        )
    if amount < account.profile.minimum_amount:
        least = f"{account.profile.minimum_amount / 100:.2f}"
        raise ApiError(
            400,
            f"Amount must be at least {least} {currency.lower()}",
            code="amount_too_small",
            param="amount",
        )


def refusal(account: Account, method: Resource, *, off_session: bool) -> Decline | None:
    """Why a payment with this method is declined now, or None. A scripted `decline` comes before what the card
    itself does."""
    scripted = account.misbehaves("decline")
    if scripted:
        return decline_of(scripted.parameter("code"), scripted.parameter("decline_code"))
    card = account.cards[method["id"]]
    if card.authenticates and off_session:
        return decline_of("authentication_required", "authentication_required")
    return card.decline


def card_error(decline: Decline, charge: Resource, intent: Resource | None = None) -> ApiError:
    """The 402 answer of a declined payment, with the whole intent when there is one."""
    more: dict[str, Any] = {"charge": charge["id"]}
    if decline.decline_code:
        more["decline_code"] = decline.decline_code
    if intent is not None:
        more["payment_intent"] = intent
        more["payment_method"] = intent["last_payment_error"]["payment_method"]
    param = {"incorrect_cvc": "cvc", "expired_card": "exp_month", "incorrect_number": "number"}.get(
        decline.code
    )
    return ApiError(402, decline.message, kind="card_error", code=decline.code, param=param, **more)


@dataclass(frozen=True, slots=True)
class Terms:
    """How a charge is meant. capture: at once, else it is only held; settle_us: it stays pending this long
    first;
    expired: what else to do when the hold runs out."""

    capture: bool = True
    merchant_initiated: bool = False
    pending: bool = False
    expired: Callable[[], None] | None = None


def authorize(
    account: Account, method: Resource, members: dict[str, Any], decline: Decline | None, terms: Terms
) -> Resource:
    """A new charge: failed, pending, held or captured. Books the money and emits the charge's event."""
    charge_id = account.ids.new("ch")
    charge = account.charges.put(
        Resource(
            {
                **TEMPLATE,
                **members,
                "id": charge_id,
                "created": account.now_s,
                "payment_method": method["id"],
                "billing_details": method["billing_details"],
                "outcome": APPROVED,
                "paid": decline is None and not terms.pending,
                "payment_method_details": _details(method),
                "receipt_url": f"https://pay.example.com/receipts/{charge_id}",
            }
        )
    )
    if decline is not None:
        fail(account, charge, decline)
    elif terms.pending:
        charge["status"] = "pending"
        account.emit("charge.pending", charge)
    elif terms.capture:
        settle(account, charge)
    else:
        _hold(account, charge, terms)
        account.emit("charge.succeeded", charge)
    return charge


def fail(account: Account, charge: Resource, decline: Decline) -> None:
    """Ends a new or pending charge without money."""
    card = account.cards[charge["payment_method"]]
    charge.change(
        status="failed",
        paid=False,
        failure_code=decline.code,
        failure_message=decline.message,
        outcome=_declined(card, decline),
    )
    account.book("decline", charge, charge["amount"], (), status="failed", charge=charge)
    account.emit("charge.failed", charge)


def settle(account: Account, charge: Resource) -> None:
    """Takes the whole amount of a new or pending charge."""
    amount, card = charge["amount"], account.cards[charge["payment_method"]]
    transaction = _earn(account, charge, amount, card)
    charge.change(
        status="succeeded",
        paid=True,
        captured=True,
        amount_captured=amount,
        balance_transaction=transaction["id"],
    )
    account.book(
        "charge",
        charge,
        amount,
        (("cardholder", -amount), ("balance", transaction["net"]), ("fees", transaction["fee"])),
        charge=charge,
        transaction=transaction,
    )
    account.emit("charge.succeeded", charge)
    if card.disputes:
        account.after(0, partial(disputes.open_dispute, account, charge, "fraudulent"))


def _earn(account: Account, charge: Resource, amount: int, card: Card) -> Resource:
    return transactions.transact(
        account,
        "charge",
        charge,
        amount,
        fee=transactions.fee_of(account, amount),
        at_once=card.at_once,
        description=charge["description"],
    )


def _hold(account: Account, charge: Resource, terms: Terms) -> None:
    amount, profile = charge["amount"], account.profile
    short = terms.merchant_initiated and account.cards[charge["payment_method"]].brand == "visa"
    window_us = profile.authorization_merchant_us if short else profile.authorization_us
    before_s = account.now_s + window_us // 1_000_000
    details = charge["payment_method_details"]
    charge["payment_method_details"] = {**details, "card": {**details["card"], "capture_before": before_s}}
    account.book("authorize", charge, amount, (("cardholder", -amount), ("held", amount)), charge=charge)
    # A real payload of an expiry has canceled_at = created + 604801 s: one second after the window.
    account.holds[charge["id"]] = account.timers.at(
        (before_s + 1) * 1_000_000, partial(_expire, account, charge, terms.expired)
    )


def capture_charge(account: Account, charge: Resource, amount: int) -> None:
    """Takes `amount` of a hold and gives the rest back. The caller has checked that it may be captured."""
    account.holds.pop(charge["id"]).cancel()
    rest = charge["amount"] - amount
    transaction = _earn(account, charge, amount, account.cards[charge["payment_method"]])
    charge.change(
        captured=True, amount_captured=amount, amount_refunded=rest, balance_transaction=transaction["id"]
    )
    account.book(
        "capture",
        charge,
        amount,
        (("held", -amount), ("balance", transaction["net"]), ("fees", transaction["fee"])),
        charge=charge,
        transaction=transaction,
    )
    if rest:
        account.book("release", charge, rest, (("held", -rest), ("cardholder", rest)), charge=charge)
    account.emit("charge.captured", charge)


def release(account: Account, charge: Resource) -> None:
    """Gives a whole hold back because its payment was canceled."""
    account.holds.pop(charge["id"]).cancel()
    _give_back(account, charge, "release", None)
    account.emit("charge.refunded", charge)


def _expire(account: Account, charge: Resource, then: Callable[[], None] | None) -> None:
    """A hold ran out: the money goes back by itself, with a refund object that says why."""
    del account.holds[charge["id"]]
    _give_back(account, charge, "expire", "expired_uncaptured_charge")
    account.emit("charge.expired", charge)
    if then is not None:
        then()


def _give_back(account: Account, charge: Resource, kind: str, reason: str | None) -> None:
    amount = charge["amount"]
    refunding.synthetic(account, charge, amount, reason)
    charge.change(refunded=True, amount_refunded=amount)
    account.book(kind, charge, amount, (("held", -amount), ("cardholder", amount)), charge=charge)


def check_capture(charge: Resource, amount: int | None) -> int:
    """What will be captured; raises the 400 answers for charges that cannot be captured so."""
    if charge["captured"]:
        raise ApiError(
            400, f"Charge {charge['id']} has already been captured.", code="charge_already_captured"
        )
    if charge["status"] != "succeeded":
        raise ApiError(
            400, f"Charge {charge['id']} could not be captured because it has a status of {charge['status']}."
        )
    if charge["refunded"]:
        raise ApiError(
            400,
            f"Charge {charge['id']} could not be captured because its authorization has expired or was released.",
            code="charge_expired_for_capture",
        )
    return check_capture_amount(charge["amount"], amount)


def check_capture_amount(held: int, amount: int | None) -> int:
    """The amount to capture, all of it by default."""
    if amount is not None and amount > held:
        raise ApiError(
            400,
            f"The amount to capture ({amount}) must be less than or equal to the amount held ({held}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    return held if amount is None else amount


def _details(method: Resource) -> dict[str, Any]:
    card = method["card"]
    return {
        "type": "card",
        "card": {
            "amount_authorized": None,
            "authorization_code": None,
            "brand": card["brand"],
            "checks": card["checks"],
            "country": card["country"],
            "exp_month": card["exp_month"],
            "exp_year": card["exp_year"],
            "fingerprint": card["fingerprint"],
            "funding": card["funding"],
            "installments": None,
            "last4": card["last4"],
            "mandate": None,
            "network": card["brand"],
            "network_token": None,
            "network_transaction_id": None,
            "regulated_status": "unregulated",
            "three_d_secure": None,
            "wallet": None,
        },
    }


def _declined(card: Card, decline: Decline) -> dict[str, Any]:
    return {
        **APPROVED,
        "network_status": "not_sent_to_network" if card.blocked else "declined_by_network",
        "reason": "highest_risk_level" if card.blocked else decline.decline_code or decline.code,
        "risk_level": "highest" if card.blocked else "normal",
        "seller_message": "Stripe blocked this payment as too risky."
        if card.blocked
        else "The bank did not return any further details with this decline.",
        "type": "blocked" if card.blocked else "issuer_declined",
    }
