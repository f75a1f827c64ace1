"""Disputes, as far as money and events need them: opened by a card or a control call, then won or lost."""

from typing import Any

from fake_provider.account import Account
from fake_provider.api import transactions
from fake_provider.call import Call
from fake_provider.errors import ApiError
from fake_provider.parameters import Spec, boolean, merge_metadata, metadata, table
from fake_provider.resource import Resource

UPDATE = Spec(evidence=table, metadata=metadata, submit=boolean)
DAYS_TO_ANSWER = 9
EVIDENCE = dict.fromkeys(
    (
        "access_activity_log",
        "billing_address",
        "cancellation_policy",
        "cancellation_policy_disclosure",
        "cancellation_rebuttal",
        "customer_communication",
        "customer_email_address",
        "customer_name",
        "customer_purchase_ip",
        "customer_signature",
        "duplicate_charge_documentation",
        "duplicate_charge_explanation",
        "duplicate_charge_id",
        "product_description",
        "receipt",
        "refund_policy",
        "refund_policy_disclosure",
        "refund_refusal_explanation",
        "service_date",
        "service_documentation",
        "shipping_address",
        "shipping_carrier",
        "shipping_date",
        "shipping_documentation",
        "shipping_tracking_number",
        "uncategorized_file",
        "uncategorized_text",
    )
)


def open_dispute(account: Account, charge: Resource, reason: str) -> Resource:
    """The cardholder takes the unrefunded rest of a captured charge back, and the provider a fee."""
    amount = charge["amount"] - charge["amount_refunded"]
    if not charge["captured"] or charge["disputed"] or amount <= 0:
        raise ApiError(
            400,
            f"Charge {charge['id']} cannot be disputed: it must be captured, not disputed and not wholly refunded.",
        )
    brand = account.cards[charge["payment_method"]].brand
    dispute = Resource(
        {
            "id": account.ids.new("dp"),
            "object": "dispute",
            "amount": amount,
            "balance_transactions": [],
            "charge": charge["id"],
            "created": account.now_s,
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": {**EVIDENCE, "enhanced_evidence": {}},
            "evidence_details": {
                "due_by": account.now_s + DAYS_TO_ANSWER * 86_400,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
                "submission_method": "not_submitted",
            },
            "is_charge_refundable": False,
            "livemode": False,
            "metadata": {},
            "network_reason_code": "10.4",
            "payment_intent": charge["payment_intent"],
            "reason": reason,
            "status": "needs_response",
            "payment_method_details": {
                "type": "card",
                "card": {
                    "brand": brand,
                    "case_type": "chargeback",
                    "network": brand,
                    "network_reason_code": "10.4",
                },
            },
        }
    )
    account.disputes.put(dispute)
    _move(account, dispute, charge, "dispute", -amount, account.profile.dispute_fee)
    charge["disputed"] = True
    account.emit("charge.dispute.created", dispute)
    account.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def _move(account: Account, dispute: Resource, charge: Resource, kind: str, amount: int, fee: int) -> None:
    category = "dispute" if amount < 0 else "dispute_reversal"
    transaction = transactions.transact(
        account, "adjustment", dispute, amount, fee=fee, at_once=True, category=category
    )
    dispute["balance_transactions"] = [*dispute["balance_transactions"], dict(transaction)]
    account.book(
        kind,
        dispute,
        abs(amount),
        (("balance", amount - fee), ("cardholder", -amount), ("fees", fee)),
        status=dispute["status"],
        charge=charge,
        transaction=transaction,
    )


def close_dispute(account: Account, dispute: Resource, status: str) -> Resource:
    """Ends a dispute: `won` brings the amount back (not the fee), `lost` leaves all as it is."""
    if dispute["status"] in ("won", "lost"):
        raise ApiError(
            400, f"Dispute {dispute['id']} is already closed with a status of {dispute['status']}."
        )
    charge = account.charges[dispute["charge"]]
    previous = dispute.change(status=status)
    if status == "won":
        _move(account, dispute, charge, "dispute_won", dispute["amount"], 0)
        account.emit("charge.dispute.funds_reinstated", dispute)
    account.emit("charge.dispute.closed", dispute, previous)
    return dispute


def retrieve(account: Account, call: Call) -> Resource:
    """GET /v1/disputes/{id}."""
    return account.disputes.find(call.object_id)


def update(account: Account, call: Call) -> Resource:
    """POST /v1/disputes/{id}: evidence; `submit` sends it to the bank."""
    dispute, params = account.disputes.find(call.object_id), call.params
    if dispute["status"] in ("won", "lost"):
        raise ApiError(400, f"Dispute {dispute['id']} is closed; evidence can no longer be added.")
    changes: dict[str, Any] = {"metadata": merge_metadata(dispute["metadata"], params.get("metadata"))}
    if params.get("evidence"):
        changes["evidence"] = {**dispute["evidence"], **params["evidence"]}
        changes["evidence_details"] = {**dispute["evidence_details"], "has_evidence": True}
    if params.get("submit") is not False and params.get("evidence"):
        changes["status"] = "under_review"
    previous = dispute.change(**changes)
    if previous:
        account.emit("charge.dispute.updated", dispute, previous)
    return dispute


def close(account: Account, call: Call) -> Resource:
    """POST /v1/disputes/{id}/close: the merchant gives in."""
    return close_dispute(account, account.disputes.find(call.object_id), "lost")
