"""Reading the provider's ledger and the shop's tables for invariants."""

from collections import defaultdict
from dataclasses import dataclass

from harness.invariant import State


@dataclass(slots=True)
class Charge:
    """A successful charge: captured money, less what was refunded. Times count from the start of the run."""

    id: str
    order: str
    amount: int
    currency: str
    at_us: int
    refunded: int = 0

    @property
    def is_kept(self) -> bool:
        return self.refunded < self.amount

    def words(self) -> str:
        return f"{money(self.amount, self.currency)} ({self.id} at {self.at_us / 1e6:.3f} s)"


def money(amount: int, currency: str) -> str:
    """``42.00 EUR`` of 4200 minor units."""
    return f"{amount / 100:.2f} {currency.upper()}"


def charges(state: State) -> dict[str, list[Charge]]:
    """Every successful charge by the order that its metadata names, oldest first."""
    found: dict[str, Charge] = {}
    ledger = state.export("provider")
    for row in ledger:
        if row["kind"] in ("charge", "capture"):
            at_us = row["at_us"] - _start_us(state)
            order = row["metadata"].get("order_id", "")
            found[row["charge"]] = Charge(row["charge"], order, row["amount"], row["currency"], at_us)
        elif row["kind"] in ("refund", "refund_failed") and row["charge"] in found:
            found[row["charge"]].refunded += row["amount"] if row["kind"] == "refund" else -row["amount"]
    by_order: dict[str, list[Charge]] = defaultdict(list)
    for charge in found.values():
        by_order[charge.order].append(charge)
    return by_order


def _start_us(state: State) -> int:
    return state.started_at_us


def orders(state: State) -> dict[str, dict[str, object]]:
    """The shop's orders by id."""
    rows = state.rows("select id, status, amount, currency, payment_intent, failure_code from orders")
    return {str(row["id"]): row for row in rows}
