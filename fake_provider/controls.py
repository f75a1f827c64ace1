"""Controls: what happens at a provider without an API call, from a customer's bank page to a failed payout.

Each is a function of the account and plain parameters, by name, for Python (`Provider.control`) and for the
control API alike. A control is added by one function and one line in `CONTROLS`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fake_provider.account import Account
from fake_provider.api import disputes, paying, payouts, refunding, sessions, webhook_endpoints
from fake_provider.errors import ApiError
from fake_provider.resource import Resource

Params = Mapping[str, Any]


def _given(params: Params, name: str, default: str | None = None) -> str:
    value = params.get(name, default)
    if not isinstance(value, str) or not value:
        raise ApiError(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
    return value


def _choice(params: Params, name: str, *allowed: str) -> str:
    value = _given(params, name, allowed[0])
    if value not in allowed:
        raise ApiError(400, f"Invalid {name}: must be one of {', '.join(allowed)}", param=name)
    return value


def authenticate(account: Account, params: Params) -> Resource:
    """The customer answers 3-D Secure. payment_intent; outcome: succeeded (default) or failed."""
    intent = account.intents.find(_given(params, "payment_intent"))
    return paying.authenticate(
        account, intent, succeeded=_choice(params, "outcome", "succeeded", "failed") == "succeeded"
    )


def pay(account: Account, params: Params) -> Resource:
    """The customer pays on a Checkout page. session; payment_method (pm_card_visa); outcome: paid, succeeded or
    failed (the last two after a while)."""
    session = account.sessions.find(_given(params, "session"))
    method = _given(params, "payment_method", "pm_card_visa")
    return sessions.complete(
        account, session, method, _choice(params, "outcome", "paid", "succeeded", "failed")
    )


def dispute(account: Account, params: Params) -> Resource:
    """The cardholder disputes a charge. charge; reason (fraudulent)."""
    return disputes.open_dispute(
        account, account.charges.find(_given(params, "charge")), _given(params, "reason", "fraudulent")
    )


def close_dispute(account: Account, params: Params) -> Resource:
    """The bank decides. dispute; outcome: won (default) or lost."""
    found = account.disputes.find(_given(params, "dispute"))
    return disputes.close_dispute(account, found, _choice(params, "outcome", "won", "lost"))


def fail_refund(account: Account, params: Params) -> Resource:
    """A refund bounces. refund."""
    refund = account.refunds.find(_given(params, "refund"))
    if refund["status"] not in ("succeeded", "pending") or refund["balance_transaction"] is None:
        raise ApiError(
            400,
            f"Refund {refund['id']} cannot fail because it has a status of {refund['status']} or moved no money.",
        )
    refunding.fail(account, refund)
    return refund


def fail_payout(account: Account, params: Params) -> Resource:
    """The bank sends a payout back. payout."""
    return payouts.fail(account, account.payouts.find(_given(params, "payout")))


def roll_secret(account: Account, params: Params) -> Resource:
    """A new secret for an endpoint; the old one signs along for up to a day. endpoint; expires_in_s."""
    endpoint = account.endpoints.find(_given(params, "endpoint"))
    keeps_s = params.get("expires_in_s")
    if keeps_s is not None and (type(keeps_s) is not int or keeps_s < 0):
        raise ApiError(400, "Invalid integer: expires_in_s", param="expires_in_s")
    return webhook_endpoints.roll_secret(account, endpoint, keeps_s)


CONTROLS: dict[str, Callable[[Account, Params], Resource]] = {
    "authenticate": authenticate,
    "close_dispute": close_dispute,
    "dispute": dispute,
    "fail_payout": fail_payout,
    "fail_refund": fail_refund,
    "pay": pay,
    "roll_secret": roll_secret,
}
