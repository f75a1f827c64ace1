"""The money invariants. Each says in one sentence what is wrong, with money, order and time.

A check returns how many entities it put to the test; zero means that its precondition never arose.
"""

from collections import defaultdict
from typing import Any

from harness.client import Outcome
from harness.invariant import Invariant, State, always, eventually, invariant
from scenarios.money import charges, money, orders

RANKS = {"pending": 0, "processing": 1, "failed": 2, "paid": 3, "refunded": 4}
IN_PROGRESS = (202, 409)


@invariant(always)
def duplicate_charge(state: State) -> int:
    """At most one successful charge per order is kept."""
    found = charges(state)
    for order, kept in ((order, [c for c in all_ if c.is_kept]) for order, all_ in found.items()):
        if len(kept) > 1:
            times = "twice" if len(kept) == 2 else f"{len(kept)} times"
            state.violated(
                order, f"Order {order} was charged {times}: {' and '.join(c.words() for c in kept)}."
            )
    return len(found)


@invariant(always)
def finalised_twice(state: State) -> int:
    """An order is finalised (its stock taken) at most once."""
    rows = state.rows(
        "select order_id, count(*) as n, sum(quantity) as taken from stock_movements group by 1 order by 1"
    )
    for row in rows:
        if row["n"] > 1:
            state.violated(
                row["order_id"],
                f"Order {row['order_id']} was finalised {row['n']} times: its stock was"
                f" taken {row['n']} times, {row['taken']} pieces in all.",
            )
    return len(rows)


@invariant(always)
def effect_repeated(state: State) -> int:
    """A customer gets one receipt and one parcel per order."""
    examined = 0
    for table, noun in (("emails", "receipts"), ("fulfilments", "parcels")):
        for row in state.rows(f"select order_id, count(*) as n from {table} group by 1 order by 1"):
            examined += 1
            if row["n"] > 1:
                state.violated(row["order_id"], f"Order {row['order_id']} was sent {row['n']} {noun}.")
    return examined


@invariant(always)
def status_went_back(state: State) -> int:
    """An order's status only moves forward; paid and refunded are final."""
    rows = state.rows(
        "select order_id, old_status, new_status, changed_at from order_status_changes order by seq"
    )
    for row in rows:
        old, new = row["old_status"], row["new_status"]
        if old in ("paid", "refunded") and RANKS[new] < RANKS[old]:
            state.violated(row["order_id"], f"Order {row['order_id']} was {old} and then became {new}.")
    return sum(row["old_status"] is not None for row in rows)


@invariant(eventually)
def paid_looking_failed_order(state: State) -> int:
    """An order that ends failed keeps no money."""
    known, found = orders(state), charges(state)
    failed = [order for order, row in known.items() if row["status"] == "failed"]
    for order in failed:
        for charge in found.get(order, []):
            if charge.is_kept:
                state.violated(
                    order,
                    f"Order {order} ended failed, but its customer paid {charge.words()} and got"
                    " nothing back.",
                )
    return len(failed)


@invariant(eventually)
def money_without_order(state: State) -> int:
    """Every charge that is kept belongs to an order that is on its way to being paid or is paid."""
    known, found = orders(state), charges(state)
    for order, kept in ((order, [c for c in all_ if c.is_kept]) for order, all_ in found.items()):
        status = known[order]["status"] if order in known else None
        if kept and status in (None, "pending", "processing", "refunded"):
            what = "does not exist" if status is None else f"is still {status}"
            state.violated(order, f"{kept[0].words()} was charged for order {order}, which {what}.")
    return len(found)


@invariant(eventually)
def paid_without_money(state: State) -> int:
    """An order that is paid has a charge of the same amount and currency."""
    found = charges(state)
    paid = [(order, row) for order, row in orders(state).items() if row["status"] == "paid"]
    for order, row in paid:
        kept = [charge for charge in found.get(order, []) if charge.is_kept]
        expected = (row["amount"], row["currency"])
        if not kept:
            state.violated(order, f"Order {order} is paid, but the provider has no charge for it.")
        elif expected not in [(charge.amount, charge.currency) for charge in kept]:
            price = money(int(str(row["amount"])), str(row["currency"]))
            state.violated(order, f"Order {order} over {price} was charged {kept[0].words()}.")
    return len(paid)


@invariant(eventually)
def paid_without_effects(state: State) -> int:
    """A paid order's stock is taken, its receipt sent and its parcel under way."""
    rows = state.rows(
        "select id, (select count(*) from stock_movements s where s.order_id = o.id) as stock,"
        " (select count(*) from emails e where e.order_id = o.id) as receipt,"
        " (select count(*) from fulfilments f where f.order_id = o.id) as parcel"
        " from orders o where status = 'paid' order by id"
    )
    for row in rows:
        missing = [noun for noun in ("stock", "receipt", "parcel") if not row[noun]]
        if missing:
            state.violated(row["id"], f"Order {row['id']} is paid, but never got: {', '.join(missing)}.")
    return len(rows)


@invariant(eventually)
def order_never_settles(state: State) -> int:
    """Once faults have stopped, every order becomes paid, failed or refunded."""
    known = orders(state)
    for order, row in known.items():
        if row["status"] in ("pending", "processing"):
            state.violated(
                order,
                f"Order {order} is still {row['status']} at {state.now_us / 1e6:.0f} s, long after"
                " all faults had stopped.",
            )
    return len(known)


@invariant(eventually)
def stock_does_not_add_up(state: State) -> int:
    """What was taken from stock is what the movements say, and paid orders are what was taken."""
    rows = state.rows(
        "select s.sku, s.available, coalesce(sum(m.quantity), 0) as moved from stock s"
        " left join stock_movements m using (sku) group by s.sku, s.available order by s.sku"
    )
    for row in rows:
        initial = INITIAL_STOCK.get(row["sku"], row["available"] + row["moved"])
        if row["available"] + row["moved"] != initial:
            state.violated(
                row["sku"],
                f"Of {initial} {row['sku']} there are {row['available']} left, but"
                f" {row['moved']} were taken.",
            )
    return sum(row["moved"] != 0 for row in rows)


INITIAL_STOCK = {"book": 1000, "mug": 100, "poster": 5, "last-ticket": 1, "sold-out": 0}


@invariant(always)
def key_answered_differently(state: State) -> int:
    """One idempotency key gets one answer, and belongs to one request body."""
    examined = 0
    for key, outcomes in _definite_by_key(state).items():
        bodies = [_frozen(outcome.sent) for outcome in outcomes]
        accepted = [outcome for outcome in outcomes if outcome.status != 422]
        answers = {(outcome.status, _frozen(outcome.body)) for outcome in accepted}
        examined += len(outcomes) > 1
        if len({bodies[outcomes.index(outcome)] for outcome in accepted}) > 1:
            state.violated(key, f"Key {key} was accepted with two different requests.")
        elif len(answers) > 1:
            words = " and then ".join(f"{outcome.status} {_words(outcome.body)}" for outcome in accepted[:2])
            state.violated(key, f"Key {key} was answered {words}.")
    return examined


@invariant(eventually)
def answer_was_not_true(state: State) -> int:
    """What a customer was told last is what became of the order."""
    known = orders(state)
    told = _told_last(state)
    for order, outcome in told.items():
        status = known[order]["status"] if order in known else "unknown to the shop"
        said = "paid" if outcome.status in (200, 201) else "not paid"
        if (said == "paid") != (status == "paid"):
            state.violated(
                order,
                f"The customer of {order} was told it is {said} ({outcome.status}), but it is {status}.",
            )
    return len(told)


def _told_last(state: State) -> dict[str, Outcome]:
    """The last answer about each order, where it was definite: who got none may be surprised either way."""
    last: dict[str, Outcome] = {}
    for outcome in sorted(state.outcomes, key=lambda outcome: outcome.started_us):
        if outcome.path == "/checkout" and outcome.sent:
            last[outcome.sent["order_id"]] = outcome
    return {order: outcome for order, outcome in last.items() if outcome.status in (200, 201, 402)}


def _definite_by_key(state: State) -> dict[str, list[Outcome]]:
    by_key: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in state.outcomes:
        key = outcome.headers.get("idempotency-key")
        if key and outcome.kind != "unknown" and outcome.status not in IN_PROGRESS:
            by_key[key].append(outcome)
    return by_key


def _frozen(value: Any) -> str:
    return repr(sorted(value.items())) if isinstance(value, dict) else repr(value)


def _words(body: Any) -> str:
    return " ".join(str(value) for value in body.values()) if isinstance(body, dict) else str(body)


INVARIANTS: list[Invariant] = [
    duplicate_charge,
    money_without_order,
    paid_looking_failed_order,
    paid_without_money,
    finalised_twice,
    effect_repeated,
    status_went_back,
    paid_without_effects,
    order_never_settles,
    stock_does_not_add_up,
    key_answered_differently,
    answer_was_not_true,
]
"""All of them, worst first."""
