"""Balance transactions: every change of the merchant's balance, and the schedule by which money becomes
available."""

from functools import partial
from typing import Any

from fake_provider.account import Account
from fake_provider.api import listing
from fake_provider.call import Call
from fake_provider.resource import Resource

CATEGORIES = {
    "charge": "charge",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "payout": "payout",
    "payout_failure": "payout_reversal",
    "payout_cancel": "payout_reversal",
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
    """Changes the balance by `amount - fee` because of `source`. Incoming money waits for the profile's
    `available_us`, unless `at_once`."""
    waits = amount > 0 and not at_once and account.profile.available_us > 0
    available_s = account.now_s + (account.profile.available_us // 1_000_000 if waits else 0)
    transaction = account.transactions.put(
        Resource(
            {
                "id": account.ids.new("txn"),
                "object": "balance_transaction",
                "amount": amount,
                "available_on": available_s,
                "balance_type": "payments",
                "created": account.now_s,
                "currency": source["currency"],
                "description": description,
                "exchange_rate": None,
                "fee": fee,
                "fee_details": _fees(fee, source["currency"], kind) if fee else [],
                "net": amount - fee,
                "reporting_category": category or CATEGORIES[kind],
                "source": source["id"],
                "status": "pending" if waits else "available",
                "type": kind,
            }
        )
    )
    if waits:
        account.funds.add("pending", source["currency"], amount - fee)
        account.timers.at(available_s * 1_000_000, partial(_become_available, account, transaction))
    else:
        account.funds.add("available", source["currency"], amount - fee)
        account.unpaid.append(transaction)
    return transaction


def _fees(fee: int, currency: str, kind: str) -> list[dict[str, Any]]:
    what = "Stripe processing fees" if kind == "charge" else "Dispute fee"
    return [
        {"amount": fee, "application": None, "currency": currency, "description": what, "type": "stripe_fee"}
    ]


def _become_available(account: Account, transaction: Resource) -> None:
    """Pending money becomes available. All that does so in the same second is announced and paid out once."""
    account.funds.add("pending", transaction["currency"], -transaction["net"])
    account.funds.add("available", transaction["currency"], transaction["net"])
    transaction["status"] = "available"
    account.unpaid.append(transaction)
    if account.payout_day is None or account.payout_day.call is None:
        account.payout_day = account.after(0, partial(_announce, account))


def _announce(account: Account) -> None:
    account.payout_day = None
    account.emit("balance.available", shown_balance(account))
    account.on_available()


def fee_of(account: Account, amount: int) -> int:
    """What the provider keeps of a charge, in minor units."""
    return min(amount, (amount * account.profile.fee_permille + 500) // 1000 + account.profile.fee_fixed)


def shown_balance(account: Account) -> Resource:
    """The balance object: the sums of the transactions, by currency and availability."""
    currencies = account.funds.currencies() or ["usd"]

    def rows(status: str) -> list[dict[str, Any]]:
        sums = [(currency, account.funds.sum(status, currency)) for currency in currencies]
        return [
            {"amount": amount, "currency": currency, "source_types": {"card": amount}}
            for currency, amount in sums
        ]

    return Resource(
        {
            "object": "balance",
            "available": rows("available"),
            "livemode": False,
            "pending": rows("pending"),
        }
    )


def balance(account: Account, _: Call) -> Resource:
    """GET /v1/balance."""
    return shown_balance(account)


def retrieve(account: Account, call: Call) -> Resource:
    """GET /v1/balance_transactions/{id}."""
    return account.transactions.find(call.object_id)


def list_transactions(account: Account, call: Call) -> Resource:
    """GET /v1/balance_transactions; `payout` lists the parts of an automatic payout, and its own one."""
    params = call.params
    wanted = {name: params[name] for name in ("type", "source", "currency") if params.get(name)}
    known = account.transactions
    found = reversed(known.values())
    if params.get("payout"):
        payout = account.payouts.find_param(params["payout"], "payout")
        found = reversed(account.parts.get(payout["id"], []))
    return listing.page(call, found, known, known.noun, wanted)
