"""The reference checkout in one event loop: real PostgreSQL, no Redis at all, a provider that is told what to
do.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from redis.asyncio import Redis

from targets.checkout.cache import open_redis
from targets.checkout.database import Pool, open_pool
from targets.checkout.reference import worker
from targets.checkout.reference.answers import AnswerCache
from targets.checkout.reference.attempt import Declined, Outcome, Paid, Unknown
from targets.checkout.reference.checkout import Checkout
from targets.checkout.reference.payments import Attempt
from targets.checkout.shapes import Answer, CheckoutRequest
from tests.targets.services import free_port

TABLES = (
    "orders, order_status_changes, idempotency_keys, checkout_attempts, attempt_transitions, outbox, "
    "processed_events, consumed_events, stock_movements, emails, fulfilments"
)
LOST = Unknown("TimeoutError")
BROKEN = Unknown("APIError 500", is_server_error=True)


@dataclass
class ScriptedPayments:
    """A provider with perfect idempotency. ``answers``: what the next charges answer instead of the truth.

    A charge whose scripted answer is LOST has happened; one whose scripted answer is BROKEN has not.
    """

    answers: list[Outcome] = field(default_factory=list)
    charged: dict[str, Outcome] = field(default_factory=dict)
    refunds: list[str] = field(default_factory=list)
    requests: int = 0

    async def submit(self, attempt: Attempt) -> Outcome:
        return await self.charge(attempt)

    async def charge(self, attempt: Attempt) -> Outcome:
        self.requests += 1
        await asyncio.sleep(0)
        scripted = self.answers.pop(0) if self.answers else None
        if scripted is BROKEN:
            return BROKEN
        if attempt.provider_key not in self.charged:
            intent = f"pi_{len(self.charged) + 1}"
            paid = Paid(intent, attempt.amount, attempt.currency)
            declined = "Declined" in attempt.payment_method
            self.charged[attempt.provider_key] = Declined("card_declined", intent) if declined else paid
        return scripted or self.charged[attempt.provider_key]

    async def find(self, attempt: Attempt) -> Outcome | None:
        return self.charged.get(attempt.provider_key)

    async def look_up(self, payment_intent: str) -> Outcome:
        return next(one for one in self.charged.values() if one.payment_intent == payment_intent)

    async def refund(self, attempt: Attempt, payment_intent: str, tries: int) -> str | None:
        if payment_intent not in self.refunds:
            self.refunds.append(payment_intent)
        return f"re_{payment_intent}"

    def kept(self) -> list[str]:
        """The payments whose money we hold."""
        paid = [one.payment_intent for one in self.charged.values() if isinstance(one, Paid)]
        return [intent for intent in paid if intent not in self.refunds]


class Shop:
    """``buy`` and ``work``, and SQL to look at what came of it."""

    def __init__(self, pool: Pool, redis: Redis) -> None:
        self.pool = pool
        self.payments = ScriptedPayments()
        self.checkout = Checkout(pool, self.payments, AnswerCache(redis))  # type: ignore[arg-type]

    async def buy(self, order_id: str, key: str, *, sku: str = "book", card: str = "pm_card_visa") -> Answer:
        request = CheckoutRequest(
            order_id=order_id,
            sku=sku,
            quantity=1,
            amount=4200,
            currency="eur",
            payment_method=card,
            email="ana@example.com",
        )
        return await self.checkout.place(key, request)

    async def work(self, passes: int = 3) -> None:
        """Two workers side by side, everything due at once."""
        for _ in range(passes):
            await self.pool.execute("update checkout_attempts set due_at = now() where due_at is not null")
            await asyncio.gather(*(self._one_pass() for _ in range(2)))

    async def _one_pass(self) -> None:
        for row in await self.pool.fetch(worker.TO_DO):
            await worker.one_thing(self.pool, self.payments, row["kind"], row["id"])  # type: ignore[arg-type]

    async def status(self, order_id: str) -> str:
        return str(await self.pool.fetchval("select status from orders where id = $1", order_id))

    async def state(self, order_id: str) -> list[str]:
        """The states of the order's attempts, oldest first."""
        sql = "select state from checkout_attempts where order_id = $1 order by created_at"
        return [str(row["state"]) for row in await self.pool.fetch(sql, order_id)]

    async def effects(self, order_id: str) -> tuple[int, int, int]:
        """How often stock was taken, a receipt was sent and a parcel was made up."""
        tables = ("stock_movements", "emails", "fulfilments")
        counts = [f"(select count(*) from {table} where order_id = $1)" for table in tables]
        row = await self.pool.fetchrow(f"select {', '.join(counts)}", order_id)
        assert row is not None
        return row[0], row[1], row[2]


@asynccontextmanager
async def open_shop(dsn: str) -> AsyncIterator[Shop]:
    """A shop on an empty database."""
    pool = await open_pool(dsn)
    redis = open_redis(f"redis://127.0.0.1:{free_port()}/0")
    await pool.execute(f"truncate {TABLES} restart identity")
    await pool.execute("update stock set available = 1 where sku = 'last-ticket'")
    try:
        yield Shop(pool, redis)
    finally:
        await redis.aclose()
        await pool.close()
