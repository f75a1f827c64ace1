"""The money: a double-entry ledger and the table that is exported from it.

Every movement moves an amount between accounts so that its postings sum to zero. The accounts, per currency:

    cardholder   what customers have (negative: what they paid)
    held         authorised, reserved on a card, not ours yet
    balance      what the provider owes the merchant; always the sum of `net` of the balance transactions
    fees         what the provider keeps
    bank         what was paid out to the merchant
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Postings = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Movement:
    """One row of the export. `amount` is the gross in minor units, without sign; `kind` says the direction.

    kind: authorize, decline, charge (sale, captured at once), capture, release (hold or its rest given
    back), expire (hold ran
        out), refund, refund_failed, dispute, dispute_won, payout, payout_failed. A `decline` moves nothing.
    """

    at_us: int
    kind: str
    id: str
    amount: int
    currency: str
    status: str
    payment_intent: str | None = None
    charge: str | None = None
    customer: str | None = None
    idempotency_key: str | None = None
    request: str | None = None
    balance_transaction: str | None = None
    fee: int = 0
    net: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    postings: Postings = ()


class Ledger:
    """All movements in order and the balance of every account."""

    def __init__(self) -> None:
        self.movements: list[Movement] = []
        self._accounts: dict[tuple[str, str], int] = {}

    def record(self, movement: Movement) -> None:
        """Books one movement. Its postings must sum to zero: anything else is a bug of the provider."""
        if sum(amount for _, amount in movement.postings) != 0:
            raise AssertionError(
                f"movement {movement.kind} {movement.id} does not balance: {movement.postings}"
            )
        for account, amount in movement.postings:
            key = (account, movement.currency)
            self._accounts[key] = self._accounts.get(key, 0) + amount
        self.movements.append(movement)

    def balance(self, account: str, currency: str) -> int:
        """What an account holds, in minor units."""
        return self._accounts.get((account, currency), 0)

    def accounts(self) -> dict[tuple[str, str], int]:
        """Every account with its currency and what it holds."""
        return dict(self._accounts)

    def export(self) -> list[dict[str, Any]]:
        """Everything that money did, one row per movement, in order; metadata and postings as plain JSON."""
        return [
            {
                "at_us": m.at_us,
                "kind": m.kind,
                "id": m.id,
                "payment_intent": m.payment_intent,
                "charge": m.charge,
                "amount": m.amount,
                "currency": m.currency,
                "status": m.status,
                "fee": m.fee,
                "net": m.net,
                "balance_transaction": m.balance_transaction,
                "customer": m.customer,
                "idempotency_key": m.idempotency_key,
                "request": m.request,
                "metadata": dict(m.metadata),
                "postings": [list(posting) for posting in m.postings],
            }
            for m in self.movements
        ]
