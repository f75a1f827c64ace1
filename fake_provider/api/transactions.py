"""Balance transactions: every change of the merchant's balance, and the schedule by which money becomes
available."""

from functools import partial
from typing import Any

from fake_provider.account import Account
from fake_provider.call import Call
from fake_provider.resource import Resource

CATEGORIES = {
    "charge": "charge",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "payout": "payout",
    "payout_failure": "payout_reversal",
    "adjustment": "dispute",
}


def transact(
    account: Account,
    kind: str,
    source: Resource,
    amount: int,
    *,
    fee: int = 0,
    at_once: bool = False,
    description: str | None = None,
    category: str | None = None,
) -> Resource:
    """Changes the balance by `amount - fee` because of `source`. Incoming money waits for `available_us`
    unless `at_once`."""
    now_s = account.now_s
    waits = amount > 0 and not at_once and account.profile.available_us > 0
    available_s = now_s + account.profile.available_us // 1_000_000 if waits else now_s
    fees: list[dict[str, Any]] = []
    if fee:
        fees.append(
            {
                "amount": fee,
                "application": None,
                "currency": source["currency"],
                "description": "Stripe processing fees" if kind == "charge" else "Dispute fee",
                "type": "stripe_fee",
            }
        )
    transaction = account.transactions.put(
        Resource(
            {
                "id": account.ids.new("txn"),
                "object": "balance_transaction",
                "amount": amount,
                "available_on": available_s,
                "balance_type": "payments",
                "created": now_s,
                "currency": source["currency"],
                "description": description,
                "exchange_rate": None,
                "fee": fee,
                "fee_details": fees,
                "net": amount - fee,
                "reporting_category": category or CATEGORIES[kind],
                "source": source["id"],
                "status": "pending" if waits else "available",
                "type": kind,
            }
        )
    )
    if waits:
        account.timers.at(available_s * 1_000_000, partial(_become_available, account, transaction))
    return transaction


def fee_of(account: Account, amount: int) -> int:
    """What the provider keeps of a charge, in minor units."""
    return min(amount, (amount * account.profile.fee_permille + 500) // 1000 + account.profile.fee_fixed)


def balance(account: Account, _: Call) -> Resource:
    """GET /v1/balance: the sums of the transactions, by currency and availability."""
    sums: dict[str, dict[str, int]] = {"available": {}, "pending": {}}
    for transaction in account.transactions.values():
        by_currency = sums[transaction["status"]]
        by_currency[transaction["currency"]] = (
            by_currency.get(transaction["currency"], 0) + transaction["net"]
        )
    currencies = sorted(set(sums["available"]) | set(sums["pending"])) or ["usd"]

    def rows(status: str) -> list[dict[str, Any]]:
        return [
            {
                "amount": sums[status].get(currency, 0),
                "currency": currency,
                "source_types": {"card": sums[status].get(currency, 0)},
            }
            for currency in currencies
        ]

    return Resource(
        {"object": "balance", "available": rows("available"), "livemode": False, "pending": rows("pending")}
    )


def _become_available(account: Account, transaction: Resource) -> None:
    transaction["status"] = "available"


def retrieve(account: Account, call: Call) -> Resource:
    """GET /v1/balance_transactions/{id}."""
    return account.transactions.find(call.object_id)
