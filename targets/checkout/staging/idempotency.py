"""Answers by Idempotency-Key, so that a customer's retry gets the answer of his first request."""

from targets.checkout.database import Pool
from targets.checkout.shapes import KEY_REUSED, Answer

FIND = "select fingerprint, status_code, response from idempotency_keys where key = $1"

SAVE = """
insert into idempotency_keys (key, fingerprint, order_id, status_code, response) values ($1, $2, $3, $4, $5)
on conflict (key) do update set status_code = excluded.status_code, response = excluded.response
"""


async def saved_answer(pool: Pool, key: str, fingerprint: str) -> Answer | None:
    row = await pool.fetchrow(FIND, key)
    if row is None:
        return None
    if row["fingerprint"] != fingerprint:
        return KEY_REUSED
    return Answer(row["status_code"], row["response"])


async def save_answer(pool: Pool, key: str, fingerprint: str, order_id: str, answer: Answer) -> None:
    await pool.execute(SAVE, key, fingerprint, order_id, answer.status_code, answer.body)
