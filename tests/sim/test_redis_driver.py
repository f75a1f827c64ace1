"""redis-py's asyncio client, unmodified, against the simulated Redis behind a loopback socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis.asyncio as redis
from redis.exceptions import ConnectionError, ResponseError, WatchError

from harness.sim.redis import RedisNode
from harness.wire.resp import RespConversation
from tests.sim.redis_bench import HandHost


class SocketWire:
    """A connection of the node that ends in an asyncio stream."""

    client = "api"

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def reply(self, data: bytes) -> None:
        self._writer.write(data)

    def push(self, data: bytes) -> None:
        self._writer.write(data)

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()


class World:
    """A node, its clock, and clients of it."""

    def __init__(self, resp: int) -> None:
        self.host = HandHost()
        self.node = RedisNode(self.host)
        self._resp = resp
        self._clients: list[Any] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire, conversation = SocketWire(writer), RespConversation()
        self.node.opened(wire)
        try:
            while data := await reader.read(65536):
                for frame in conversation.from_client(data):
                    self.node.received(wire, frame)
        except OSError:
            pass
        finally:
            self.node.closed(wire)
            writer.close()

    def client(self, **options: Any) -> Any:
        client = redis.Redis(port=self.port, protocol=self._resp, decode_responses=True, **options)
        self._clients.append(client)
        return client

    @asynccontextmanager
    async def running(self) -> AsyncIterator["World"]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            for client in self._clients:
                await client.aclose()
            server.close()


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def play(request: pytest.FixtureRequest) -> Callable[[Callable[[World], Awaitable[None]]], None]:
    """Runs a test's coroutine in a world."""

    def run(scene: Callable[[World], Awaitable[None]]) -> None:
        async def inside() -> None:
            async with World(request.param).running() as world:
                await asyncio.wait_for(scene(world), 10)

        asyncio.run(inside())

    return run


Play = Callable[[Callable[[World], Awaitable[None]]], None]


def test_values_and_expiry(play: Play) -> None:
    async def scene(world: World) -> None:
        client = world.client(client_name="api", db=2, username="default", password="any")
        assert await client.set("k", "v", ex=30, nx=True)
        assert await client.set("k", "w", nx=True) is None
        assert await client.get("k") == "v"
        assert await client.ttl("k") == 30
        assert await client.client_getname() == "api"
        assert (await client.info())["redis_version"] == "6.2.14"
        world.host.advance(30_001_000)
        assert await client.get("k") is None

    play(scene)


def test_collections_come_back_as_they_went(play: Play) -> None:
    async def scene(world: World) -> None:
        client = world.client()
        await client.hset("h", mapping={"a": 1, "b": "x"})
        assert await client.hgetall("h") == {"a": "1", "b": "x"}
        await client.sadd("s", "a", "b")
        assert await client.smembers("s") == {"a", "b"}
        await client.zadd("z", {"m": 1.5, "n": 2})
        assert [
            [member, float(score)] for member, score in await client.zrange("z", 0, -1, withscores=True)
        ] == [
            ["m", 1.5],
            ["n", 2.0],
        ]
        await client.rpush("l", 1, 2, 3)
        assert await client.lrange("l", 0, -1) == ["1", "2", "3"]
        assert sorted([key async for key in client.scan_iter("?")]) == ["h", "l", "s", "z"]
        await client.xadd("x", {"f": "v"}, id="1-1")
        assert "1-1" in str(await client.xread({"x": 0}))

    play(scene)


def test_transactions_and_optimistic_locks(play: Play) -> None:
    async def scene(world: World) -> None:
        client, other = world.client(), world.client()
        async with client.pipeline(transaction=True) as pipe:
            assert await pipe.incr("n").incr("n").get("n").execute() == [1, 2, "2"]
        async with client.pipeline() as pipe:
            await pipe.watch("n")
            await other.set("n", 10)
            pipe.multi()
            pipe.set("n", 3)
            with pytest.raises(WatchError):
                await pipe.execute()
        async with client.pipeline(transaction=False) as pipe:
            answers = await pipe.lpush("n", "x").get("n").execute(raise_on_error=False)
        assert isinstance(answers[0], ResponseError)
        assert answers[1] == "10"

    play(scene)


def test_scripts_and_locks(play: Play) -> None:
    async def scene(world: World) -> None:
        client, other = world.client(), world.client()
        script = client.register_script("return {redis.call('incrby', KEYS[1], ARGV[1]), ARGV[1]}")
        assert await script(keys=["n"], args=[5]) == [5, "5"]
        lock = client.lock("lock", timeout=10)
        assert await lock.acquire(blocking=False)
        assert not await other.lock("lock", timeout=10).acquire(blocking=False)
        await lock.extend(5)
        assert await client.pttl("lock") == 15_000
        await lock.release()
        assert await other.lock("lock", timeout=10).acquire(blocking=False)

    play(scene)


def test_publish_and_subscribe(play: Play) -> None:
    async def scene(world: World) -> None:
        client = world.client()
        async with client.pubsub() as pubsub:
            await pubsub.subscribe("news")
            await pubsub.psubscribe("n*")
            assert [(await pubsub.get_message(timeout=5))["type"] for _ in range(2)] == [
                "subscribe",
                "psubscribe",
            ]
            assert await world.client().publish("news", "hello") == 2
            messages = [await pubsub.get_message(timeout=5) for _ in range(2)]
            assert [message["data"] for message in messages] == ["hello", "hello"]
            await pubsub.ping()
            await pubsub.unsubscribe()

    play(scene)


def test_blocking_pops_are_woken_and_time_out(play: Play) -> None:
    async def scene(world: World) -> None:
        worker = asyncio.create_task(world.client().blpop(["jobs"], timeout=0))
        client = world.client()
        while not world.node._waiters.parked:
            await client.ping()
        await client.rpush("jobs", "one")
        assert list(await worker) == ["jobs", "one"]
        late = asyncio.create_task(world.client(socket_timeout=None).blpop(["jobs"], timeout=60))
        while not world.node._waiters.parked:
            await client.ping()
        world.host.advance(60_000_000)
        assert await late is None

    play(scene)


def test_a_server_that_goes_down_is_a_connection_error(play: Play) -> None:
    async def scene(world: World) -> None:
        client = world.client(retry=None)
        await client.set("k", "v")
        world.node.down()
        with pytest.raises(ConnectionError):
            await client.get("k")
        world.node.up()
        assert await client.get("k") == "v"

    play(scene)
