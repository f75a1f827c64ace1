"""Refunds as clients see them."""

from fake_provider.account import Account
from fake_provider.api import refunding
from fake_provider.call import Call
from fake_provider.errors import ApiError
from fake_provider.parameters import Echo, Spec, choice, integer, merge_metadata, metadata, text
from fake_provider.resource import Resource

CREATE = Spec(
    amount=integer(1),
    charge=text,
    payment_intent=text,
    metadata=metadata,
    reason=choice("duplicate", "fraudulent", "requested_by_customer"),
)
UPDATE = Spec(metadata=metadata)
SETTABLE = frozenset({"instructions_email"})
COMMANDS = frozenset(
    {
        "expand",
        "charge",
        "payment_intent",
        "amount",
        "reason",
        "metadata",
        "refund_application_fee",
        "reverse_transfer",
    }
)
ECHO = Echo(refunding.TEMPLATE, SETTABLE, COMMANDS)


def create(account: Account, call: Call) -> Resource:
    """POST /v1/refunds: of a charge, or of the latest charge of an intent; the whole rest by default."""
    params = call.params
    charge = _charge(account, params)
    if charge["disputed"] and any(
        d["charge"] == charge["id"] and d["status"] != "won" for d in account.disputes.values()
    ):
        raise ApiError(
            400,
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    if charge["status"] != "succeeded" or not charge["captured"]:
        return _uncaptured(charge)
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise ApiError(
            400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    amount = params.get("amount")
    if amount is not None and amount > left:
        shown = f"{amount / 100:.2f} {charge['currency']}", f"{left / 100:.2f} {charge['currency']}"
        raise ApiError(
            400,
            f"Refund amount ({shown[0]}) is greater than unrefunded amount on charge ({shown[1]})",
            param="amount",
        )
    members = ECHO.of(params)
    members["metadata"] = merge_metadata({}, params.get("metadata"))
    return refunding.refund_charge(
        account, charge, left if amount is None else amount, params.get("reason"), members
    )


def _charge(account: Account, params: dict[str, object]) -> Resource:
    charge_id, intent_id = params.get("charge"), params.get("payment_intent")
    if isinstance(charge_id, str):
        return account.charges.find_param(charge_id, "charge")
    if not isinstance(intent_id, str):
        raise ApiError(
            400,
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
        )
    intent = account.intents.find_param(intent_id, "payment_intent")
    if intent["latest_charge"] is None:
        raise ApiError(
            400,
            f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
        )
    return account.charges[intent["latest_charge"]]


def _uncaptured(charge: Resource) -> Resource:
    if charge["refunded"]:
        raise ApiError(
            400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    if charge["status"] == "succeeded":
        raise ApiError(
            400,
            f"Charge {charge['id']} was not captured; cancel its PaymentIntent to release the hold instead of "
            "refunding it.",
            code="payment_intent_unexpected_state",
        )
    raise ApiError(
        400,
        f"Charge {charge['id']} has a status of {charge['status']}; only a succeeded charge can be refunded.",
    )


def retrieve(account: Account, call: Call) -> Resource:
    """GET /v1/refunds/{id}."""
    return account.refunds.find(call.object_id)


def update(account: Account, call: Call) -> Resource:
    """POST /v1/refunds/{id}: metadata only."""
    refund = account.refunds.find(call.object_id)
    previous = refund.change(metadata=merge_metadata(refund["metadata"], call.params.get("metadata")))
    if previous:
        account.emit("refund.updated", refund, previous)
    return refund


def cancel(account: Account, call: Call) -> Resource:
    """POST /v1/refunds/{id}/cancel: only while it is pending."""
    refund = account.refunds.find(call.object_id)
    if refund["status"] not in ("pending", "requires_action"):
        raise ApiError(400, f"This refund cannot be canceled because it has a status of {refund['status']}.")
    refunding.fail(account, refund, "canceled", "merchant_request")
    return refund
