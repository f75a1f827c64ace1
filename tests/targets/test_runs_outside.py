"""Both builds run without the harness: uvicorn, a worker, a real PostgreSQL, a real Redis, our provider on a port."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.targets.services import Process, accepts, free_port

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_outside"
SETTLED_S = 15.0
EFFECTS = ("stock_movements", "emails", "fulfilments")


@dataclass(frozen=True)
class Outside:
    """Where the running service is."""

    api: httpx.Client
    provider: httpx.Client
    dsn: str

    def buy(self, order_id: str, key: str, card: str = "pm_card_visa") -> httpx.Response:
        body = {
            "order_id": order_id,
            "sku": "book",
            "quantity": 2,
            "amount": 4200,
            "currency": "eur",
            "payment_method": card,
            "email": "ana@example.com",
        }
        return self.api.post("/checkout", json=body, headers={"Idempotency-Key": key})

    def effects(self, order_id: str) -> list[int]:
        """How often stock was taken, a receipt sent and a parcel made up."""

        async def count() -> list[int]:
            connection = await asyncpg.connect(self.dsn)
            try:
                sql = "select count(*) from {} where order_id = $1"
                return [await connection.fetchval(sql.format(table), order_id) for table in EFFECTS]
            finally:
                await connection.close()

        return asyncio.run(count())

    def undelivered(self) -> list[dict[str, Any]]:
        """The provider's events that the service has not acknowledged yet."""
        events = self.provider.get("/v1/events", params={"limit": 100}).raise_for_status().json()["data"]
        return [event["type"] for event in events if event["pending_webhooks"]]


def eventually(reached: Callable[[], bool], explain: Callable[[], object]) -> None:
    """Waits until `reached`, at most SETTLED_S seconds."""
    deadline = time.monotonic() + SETTLED_S
    while not reached():
        assert time.monotonic() < deadline, f"not reached after {SETTLED_S} s: {explain()!r}"
        time.sleep(0.1)


@pytest.fixture(params=["reference", "staging"])
def outside(
    request: pytest.FixtureRequest, database: Callable[[], str], redis_url: str, tmp_path: Path
) -> Iterator[Outside]:
    package = f"targets.checkout.{request.param}"
    api_port, provider_port, dsn = free_port(), free_port(), database()
    inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    env = {
        **inherited,
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": dsn,
        "REDIS_URL": redis_url,
        "STRIPE_API_BASE": f"http://127.0.0.1:{provider_port}",
        "STRIPE_API_KEY": "sk_test_outside",
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "WORKER_POLL_SECONDS": "0.2",
    }
    webhook = f"http://127.0.0.1:{api_port}/webhooks"
    provider = [
        "fake_provider",
        "serve",
        "--port",
        str(provider_port),
        "--webhook",
        webhook,
        "--secret",
        SECRET,
    ]
    api = ["uvicorn", f"{package}.api:app", "--port", str(api_port), "--log-level", "warning"]
    with ExitStack() as stack:

        def start(name: str, arguments: list[str]) -> Process:
            process = Process([sys.executable, "-m", *arguments], tmp_path / f"{name}.log", env=env)
            stack.callback(process.stop)
            return process

        servers = {provider_port: start("provider", provider), api_port: start("api", api)}
        start("worker", [f"{package}.worker"])
        for port, server in servers.items():
            server.wait_until(partial(accepts, port))
        shop, money = (
            stack.enter_context(
                httpx.Client(
                    base_url=f"http://127.0.0.1:{port}",
                    headers={"Authorization": "Bearer sk_test_outside"},
                    trust_env=False,
                    timeout=20,
                )
            )
            for port in (api_port, provider_port)
        )
        yield Outside(shop, money, dsn)


@pytest.mark.timeout(120)
def test_a_purchase_over_http_is_paid_and_has_its_effects_once(outside: Outside) -> None:
    assert outside.api.get("/healthz").json() == {"status": "ok"}
    bought = outside.buy("o-1", "k-1")
    assert (bought.status_code, bought.json()["status"]) == (201, "paid")
    assert outside.buy("o-1", "k-1").content == bought.content
    order = outside.api.get("/orders/o-1").json()
    assert (order["status"], order["amount"], order["payment_intent"]) == (
        "paid",
        4200,
        bought.json()["payment_intent"],
    )
    eventually(lambda: outside.effects("o-1") == [1, 1, 1], lambda: outside.effects("o-1"))
    eventually(lambda: not outside.undelivered(), outside.undelivered)

    assert outside.buy("o-2", "k-2", card="pm_card_visa_chargeDeclined").status_code == 402
    assert outside.buy("o-3", "k-3").status_code == 201
    eventually(lambda: outside.effects("o-3") == [1, 1, 1], lambda: outside.effects("o-3"))
    # Whatever was going to happen a second time had its time by now.
    assert outside.effects("o-1") == [1, 1, 1]
    assert outside.effects("o-2") == [0, 0, 0]

    forged = outside.api.post(
        "/webhooks", content=b'{"id": "evt_1"}', headers={"Stripe-Signature": "t=1,v1=00"}
    )
    assert (forged.status_code, forged.json()["code"]) == (400, "signature_invalid")
