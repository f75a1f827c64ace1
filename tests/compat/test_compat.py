"""Unmodified services on the libraries that teams use run in the simulated world: a row of the README's table each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from harness.client import Outcome
from harness.fault import SECOND_US
from harness.plan import Plan
from harness.scenario import Scenario
from harness.sim.runner import SimRunner
from harness.target import Dependency, Process, Target
from harness.world import World
from targets.wiring import PROVIDER

pytestmark = pytest.mark.compatibility

NOTES = "create table notes (id int generated always as identity primary key, text text not null);"


@contextmanager
def hosted(
    app: str, *, schema: str | None = None, dependencies: Sequence[Dependency] = ()
) -> Iterator[SimRunner]:
    target = Target(
        "compat",
        [
            Process("api", asgi=f"tests.compat.services:{app}"),
            Process("hello", asgi="tests.compat.services:fastapi_app"),
        ],
        postgres=schema,
        redis=True,
        env={
            "HELLO_URL": "{hello}",
            "REDIS_URL": "{redis}",
            "STRIPE_URL": "http://provider",
            "DATABASE_URL": "{postgres}",
            "DATABASE_ADDRESS": "{postgres_address}",
        },
        entry="api",
        dependencies=dependencies,
    )
    runner = SimRunner(target, "default")
    try:
        yield runner
    finally:
        runner.close()


def outcomes(runner: SimRunner, *requests: tuple[str, str, Any]) -> list[Any]:
    """Sends the requests one after the other; status and body of each answer."""

    async def ask(world: World) -> None:
        for method, path, body in requests:
            await world.client("customer").send(
                method, path, json=body, headers={"x-user": "me"}, timeout_us=60 * SECOND_US
            )

    run = runner.run(Scenario(ask, runner.target), Plan(1))
    assert run.error is None
    return [(outcome.status, outcome.body) for outcome in run.outcomes]


def test_fastapi_with_a_plain_function_as_endpoint() -> None:
    with hosted("fastapi_app") as runner:
        assert outcomes(runner, ("GET", "/hello/ana", None)) == [(200, {"hello": "ana", "user": "me"})]


def test_starlette_with_lifespan_state() -> None:
    with hosted("starlette_app") as runner:
        assert outcomes(runner, ("POST", "/greet", {"name": "ben"})) == [(200, {"answer": "hello ben"})]


def test_an_httpx_client_with_a_time_out() -> None:
    with hosted("httpx_app") as runner:
        assert outcomes(runner, ("GET", "/ask", None)) == [(200, {"hello": "httpx", "user": "h"})]


def test_the_aiohttp_client_with_headers() -> None:
    with hosted("aiohttp_app") as runner:
        assert outcomes(runner, ("GET", "/ask", None)) == [(200, {"hello": "aiohttp", "user": "a"})]


def test_anyio_with_time_outs_and_a_worker_thread() -> None:
    with hosted("anyio_app") as runner:
        expected = {"done": ["first", "second"], "timed_out": True, "total": 6}
        assert outcomes(runner, ("GET", "/race", None)) == [(200, expected)]


def test_redis_py_with_a_key_that_expires_in_virtual_time() -> None:
    with hosted("redis_app") as runner:
        expected = {"before": "secret", "after": None, "visits": 42}
        assert outcomes(runner, ("GET", "/lifetime", None)) == [(200, expected)]


def test_asyncpg_with_a_pool_and_a_transaction() -> None:
    with hosted("asyncpg_app", schema=NOTES) as runner:
        requests = [("POST", "/notes/a", None), ("POST", "/notes/b", None)]
        assert outcomes(runner, *requests) == [(200, {"id": 1}), (200, {"id": 2})]


def test_sqlalchemy_over_asyncpg() -> None:
    with hosted("sqlalchemy_app", schema=NOTES) as runner:
        requests = [("POST", "/notes/a", None), ("POST", "/notes/b", None)]
        assert outcomes(runner, *requests) == [(200, {"count": 1}), (200, {"count": 2})]


def test_the_async_stripe_sdk() -> None:
    with hosted("stripe_app", dependencies=[PROVIDER]) as runner:
        assert outcomes(runner, ("POST", "/pay/o-1", None)) == [
            (200, {"status": "succeeded", "amount": 4200})
        ]


def test_asyncpg_listen_and_notify() -> None:
    async def listen(world: World) -> None:
        listener, writer = world.clients("listener", "writer")

        async def write() -> Outcome:
            await world.sleep_us(SECOND_US)
            return await writer.post("/notes/news")

        await world.together(listener.get("/heard"), write())

    with hosted("asyncpg_app", schema=NOTES) as runner:
        run = runner.run(Scenario(listen, runner.target), Plan(1))
        assert run.error is None
        assert [(outcome.client, outcome.body) for outcome in run.outcomes] == [
            ("writer", {"id": 1}),
            ("listener", {"heard": "news"}),
        ]
