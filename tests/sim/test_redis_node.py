"""The simulated Redis as a node: virtual time, determinism, faults, and what it refuses."""

import os
import subprocess
import sys
from collections.abc import Callable
from random import Random

import pytest

from harness.errors import HarnessError, NotSimulated
from harness.sim.redis import RedisNode
from harness.sim.redis.borrowed import ExpiringMembersSet
from tests.sim.redis_bench import START_US, HandHost, SimulatedClient, command

SECOND_US = 1_000_000

_PLAY_ALL_SCRIPTS = """
import hashlib
from tests.sim.redis_script import load_scripts, play_simulated
heard = [play_simulated(script, 2) for script in load_scripts()]
print(hashlib.sha256(repr(heard).encode()).hexdigest())
"""


def make(seed: int = 1) -> tuple[HandHost, RedisNode, SimulatedClient]:
    host = HandHost(seed)
    node = RedisNode(host)
    return host, node, SimulatedClient(node)


def test_a_key_lives_to_the_last_millisecond_and_not_one_longer() -> None:
    host, _, api = make()
    api.ask("SET", "k", "v", "PX", 1500)
    host.advance(1_500_999)
    assert api.ask("GET", "k") == b"$1\r\nv\r\n"
    host.advance(1)
    assert api.ask("GET", "k") == b"$-1\r\n"


@pytest.mark.parametrize(
    "words",
    [
        ("SET", "k", "v", "EX", 2),
        ("SET", "k", "v", "PXAT", START_US // 1000 + 2000),
        ("SET", "k", "v", "EXAT", START_US // SECOND_US + 2),
        ("SETEX", "k", 2, "v"),
        ("PSETEX", "k", 2000, "v"),
    ],
)
def test_every_way_to_set_an_expiry_follows_virtual_time(words: tuple[str | int, ...]) -> None:
    host, _, api = make()
    api.ask(*words)
    assert api.ask("PTTL", "k") == b":2000\r\n"
    host.advance(499_000)
    assert api.ask("PTTL", "k") == b":1501\r\n"
    assert api.ask("TTL", "k") == b":2\r\n"
    host.advance(1_502_000)
    assert api.ask("EXISTS", "k") == b":0\r\n"


def test_time_is_the_hosts() -> None:
    host, _, api = make()
    host.advance(42)
    assert api.ask("TIME") == b"*2\r\n$10\r\n1700000000\r\n$2\r\n42\r\n"
    assert api.ask("XADD", "s", "*", "a", 1) == b"$15\r\n1700000000000-0\r\n"
    host.advance(7_001_000)
    assert api.ask("XADD", "s", "*", "a", 1) == b"$15\r\n1700000007001-0\r\n"


def test_an_expired_key_is_noted_once() -> None:
    host, _, api = make()
    api.ask("SET", "corr:1", "v", "EX", 1)
    host.advance(2 * SECOND_US)
    api.ask("GET", "corr:1")
    api.ask("KEYS", "*")
    assert host.notes == [("redis.expired", {"key": "corr:1", "db": 0})]


def test_a_time_out_fires_in_virtual_time() -> None:
    host, _, api = make()
    assert api.ask("BLPOP", "jobs", 2.5) == b""
    host.advance(2_499_999)
    assert api.take() == b""
    host.advance(1)
    assert api.take() == b"*-1\r\n"


def test_a_served_client_is_not_timed_out_as_well() -> None:
    host, node, api = make()
    worker = SimulatedClient(node, "worker")
    worker.ask("BLPOP", "jobs", 1)
    api.ask("RPUSH", "jobs", "a")
    host.advance(5 * SECOND_US)
    assert worker.take() == b"*2\r\n$4\r\njobs\r\n$1\r\na\r\n"


def test_commands_behind_a_blocking_one_wait_for_it() -> None:
    _, node, api = make()
    worker = SimulatedClient(node, "worker")
    worker.send(
        command("BLPOP", "jobs", 0) + command("PING") + command("BLPOP", "jobs", 0) + command("ECHO", "x")
    )
    assert worker.take() == b""
    api.ask("RPUSH", "jobs", "a")
    assert worker.take() == b"*2\r\n$4\r\njobs\r\n$1\r\na\r\n+PONG\r\n"
    api.ask("RPUSH", "jobs", "b")
    assert worker.take() == b"*2\r\n$4\r\njobs\r\n$1\r\nb\r\n$1\r\nx\r\n"


def test_a_client_that_is_gone_takes_nothing() -> None:
    _, node, api = make()
    gone, there = SimulatedClient(node, "gone"), SimulatedClient(node, "there")
    gone.ask("BLPOP", "jobs", 0)
    there.ask("BLPOP", "jobs", 0)
    gone.ask("SUBSCRIBE", "news")
    node.closed(gone.wire)
    api.ask("RPUSH", "jobs", "a")
    assert gone.take() == b""
    assert there.take() == b"*2\r\n$4\r\njobs\r\n$1\r\na\r\n"
    assert api.ask("PUBLISH", "news", "x") == b":0\r\n"


def test_what_is_random_comes_from_the_hosts_stream() -> None:
    def play(seed: int) -> list[bytes]:
        _, _, api = make(seed)
        api.ask("SADD", "s", *range(50))
        api.ask("HSET", "h", *range(50))
        api.ask("ZADD", "z", *range(50))
        api.ask("MSET", *range(50))
        asked = [("SPOP", "s"), ("SRANDMEMBER", "s", 5), ("SRANDMEMBER", "s", -5), ("RANDOMKEY",)]
        return [
            api.ask(*words)
            for words in (*asked, ("HRANDFIELD", "h", 3), ("ZRANDMEMBER", "z", -3), ("SPOP", "s", 5))
        ]

    assert play(1) == play(1)
    assert all(first != second for first, second in zip(play(1), play(2), strict=True))


def test_the_hosts_stream_is_drawn_from_only_for_what_is_random() -> None:
    host, _, api = make(7)
    api.ask("SADD", "s", "a", "b")
    api.ask("SMEMBERS", "s")
    api.ask("EVAL", "return math.random(100)", 0)
    assert host.random.getstate() == Random(7).getstate()


def test_sets_and_keys_come_in_the_order_in_which_they_were_made() -> None:
    _, _, api = make()
    api.ask("SADD", "s", "zeta", "alpha", "mid")
    api.ask("MSET", "z", 1, "a", 2)
    assert api.ask("SMEMBERS", "s") == b"*3\r\n$4\r\nzeta\r\n$5\r\nalpha\r\n$3\r\nmid\r\n"
    assert api.ask("KEYS", "*") == b"*3\r\n$1\r\ns\r\n$1\r\nz\r\n$1\r\na\r\n"


def test_a_scan_sees_every_key_that_stays() -> None:
    _, _, api = make()
    for number in range(95):
        api.ask("SET", f"k{number}", number)
    seen: set[bytes] = set()
    cursor = b"0"
    while True:
        answer = api.ask("SCAN", cursor, "COUNT", 10).split(b"\r\n")
        cursor = answer[2]
        seen |= set(answer[5::2])
        api.ask("DEL", f"k{len(seen)}")
        if cursor == b"0":
            break
    assert seen >= {f"k{number}".encode() for number in (0, 1, 2, 5, 94)}


def test_pushes_reach_subscribers_in_the_order_in_which_they_subscribed() -> None:
    order: list[str] = []
    _, node, api = make()
    for name in ("c", "a", "b"):
        client = SimulatedClient(node, name)
        client.ask("SUBSCRIBE", "news")
        client.wire.push = lambda data, name=name: order.append(name)  # type: ignore[method-assign, misc]
    assert api.ask("PUBLISH", "news", "x") == b":3\r\n"
    assert order == ["c", "a", "b"]


def test_expire_takes_the_keys_that_have_a_time_to_live() -> None:
    host, node, api = make()
    api.ask("SET", "corr:1", "a", "EX", 100)
    api.ask("SET", "corr:2", "b", "EX", 100)
    api.ask("SET", "corr:3", "for ever")
    api.ask("SET", "other", "x", "EX", 100)
    assert node.expire("corr:*") == ["corr:1", "corr:2"]
    assert api.ask("MGET", "corr:1", "corr:3", "other") == b"*3\r\n$-1\r\n$8\r\nfor ever\r\n$1\r\nx\r\n"
    assert host.notes == [("redis.expire", {"pattern": "corr:*", "keys": "corr:1, corr:2"})]


def test_evict_takes_every_key_and_flush_everything() -> None:
    host, node, api = make()
    api.ask("MSET", "a:1", 1, "a:2", 2, "b", 3)
    assert node.evict("a:*") == ["a:1", "a:2"]
    assert api.ask("DBSIZE") == b":1\r\n"
    node.flush()
    assert api.ask("DBSIZE") == b":0\r\n"
    assert host.notes[-1] == ("redis.flush", {"keys": 1})


@pytest.mark.parametrize("fault", [lambda n: n.expire("k"), lambda n: n.evict("k"), lambda n: n.flush()])
def test_a_fault_on_a_watched_key_fails_the_transaction(fault: Callable[[RedisNode], object]) -> None:
    _, node, api = make()
    api.ask("SET", "k", "v", "EX", 100)
    api.ask("WATCH", "k")
    fault(node)
    api.ask("MULTI")
    assert api.ask("EXEC") == b"*-1\r\n"


def test_down_breaks_every_wire_and_keeps_the_data() -> None:
    _, node, api = make()
    api.ask("SET", "k", "v")
    node.down()
    assert node.is_down
    assert api.wire.ended == "aborted"
    assert api.ask("GET", "k") == b""
    late = SimulatedClient(node, "late")
    assert late.wire.ended == "aborted"
    node.up()
    assert not node.is_down
    assert SimulatedClient(node).ask("GET", "k") == b"$1\r\nv\r\n"


def test_crash_loses_everything() -> None:
    host, node, api = make()
    api.ask("SET", "k", "v")
    sha = api.ask("SCRIPT", "LOAD", "return 1").split(b"\r\n")[1]
    worker = SimulatedClient(node, "worker")
    worker.ask("BLPOP", "jobs", 1)
    node.crash()
    assert [api.wire.ended, worker.wire.ended] == ["aborted", "aborted"]
    node.up()
    host.advance(5 * SECOND_US)
    again = SimulatedClient(node)
    assert again.ask("GET", "k") == b"$-1\r\n"
    assert again.ask("EVALSHA", sha, 0) == b"-NOSCRIPT No matching script. Please use EVAL.\r\n"
    assert worker.take() == b""


def test_snapshot_shows_every_type_and_changes_nothing() -> None:
    host, node, api = make()
    api.ask("SET", "s", b"caf\xc3\xa9 \xff", "PX", 1500)
    api.ask("RPUSH", "l", "a", "b")
    api.ask("HSET", "h", "f", "v")
    api.ask("SADD", "set", "b", "a")
    api.ask("ZADD", "z", 1.5, "m", "inf", "top")
    api.ask("XADD", "x", "1-1", "f", "v")
    api.ask("SELECT", 3)
    api.ask("SET", "gone", "v", "PX", 1)
    api.ask("SET", "k", "v")
    host.advance(500_000)
    shown = {
        "db3/k": {"type": "string", "value": "v", "ttl_us": None},
        "h": {"type": "hash", "value": {"f": "v"}, "ttl_us": None},
        "l": {"type": "list", "value": ["a", "b"], "ttl_us": None},
        "s": {"type": "string", "value": "café \\xff", "ttl_us": 1_000_000},
        "set": {"type": "set", "value": ["a", "b"], "ttl_us": None},
        "x": {"type": "stream", "value": [["1-1", {"f": "v"}]], "ttl_us": None},
        "z": {"type": "zset", "value": {"m": 1.5, "top": "inf"}, "ttl_us": None},
    }
    assert node.snapshot() == shown
    assert node.snapshot() == shown
    assert host.notes == []


def test_a_reset_node_is_as_new() -> None:
    def play(node: RedisNode) -> list[bytes]:
        api = SimulatedClient(node)
        asked = [
            ("CLIENT", "ID"),
            ("DBSIZE",),
            ("SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"),
        ]
        asked += [("SET", "k", "v"), ("EVAL", "return 1", 0), ("PUBSUB", "CHANNELS"), ("SUBSCRIBE", "c")]
        return [api.ask(*words) for words in asked]

    host, node, _ = make()
    node.reset()
    first = play(node)
    node.down()
    node.reset()
    assert play(node) == first
    node.reset()
    host.advance(1)
    assert play(node) == first


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("OBJECT", "ENCODING", "k"), "Redis command `OBJECT ENCODING k`"),
        (("CONFIG", "SET", "maxmemory", "1"), "Redis command `CONFIG SET maxmemory 1`"),
        (("PFADD", "k", "a"), "Redis command `PFADD k a`"),
        (("MONITOR",), "Redis command `MONITOR`"),
        (("NOSUCH", "x" * 100), f"Redis command `NOSUCH {'x' * 53}...`"),
        (("EXPIRE", "k", "10", "NX"), "Redis command `EXPIRE k 10 NX` with an option that is newer than 6.2"),
        (
            ("SET", "k", "v", "NX", "GET"),
            "Redis command `SET k v NX GET` with NX and GET together, which came with Redis 7",
        ),
        (
            ("XADD", "s", "5-*", "a", "1"),
            "Redis command `xadd s 5-* a 1` with an option that is newer than 6.2",
        ),
        (
            ("PSUBSCRIBE", "__keyevent@0__:expired"),
            "Redis command `PSUBSCRIBE __keyevent@0__:expired` for keyspace events",
        ),
        (("EVAL", "return redis.call('object', 'freq', 'k')", "0"), "Redis command `object freq k`"),
        (("EVAL", "return redis.pcall('debug')", "0"), "Redis command `debug`"),
        (("EVAL", "return pcall(redis.call, 'debug')", "0"), "Redis command `debug`"),
        (("EVAL", "return cmsgpack.pack(1)", "0"), "in a Redis Lua script: cmsgpack.pack"),
        (("EVAL", "return bit.band(1, 1)", "0"), "in a Redis Lua script: bit.band"),
        (("EVAL", "redis.setresp(3)", "0"), "in a Redis Lua script: redis.setresp"),
        (("EVAL", "for k in pairs(_G) do end", "0"), "in a Redis Lua script: pairs on a library or on _G"),
        (("EVAL", "return tostring({})", "0"), "in a Redis Lua script: tostring of a table"),
        (
            ("EVAL", "while true do end", "0"),
            "in a Redis Lua script: a script of more than 20000000 instructions",
        ),
        (
            ("EVAL", "#!lua flags=no-writes\nreturn 1", "0"),
            "Redis command `EVAL #!lua flags=no-writes` with a header of Redis 7",
        ),
    ],
)
def test_what_is_not_simulated_is_refused_by_name(words: tuple[str, ...], text: str) -> None:
    _, _, api = make()
    with pytest.raises(NotSimulated) as caught:
        api.ask(*words)
    assert caught.value.what == text
    assert "live world" in caught.value.remedy
    assert api.take() == b""


def test_a_subscription_inside_a_transaction_is_refused() -> None:
    _, _, api = make()
    api.ask("MULTI")
    with pytest.raises(NotSimulated, match="SUBSCRIBE c` between MULTI and EXEC"):
        api.ask("SUBSCRIBE", "c")


def test_scripts_see_nothing_of_this_machine() -> None:
    _, _, api = make()
    for name in ("os", "io", "package", "require", "dofile", "loadfile", "debug", "python", "module"):
        assert f"nonexistent global variable '{name}'".encode() in api.ask("EVAL", f"return {name}", 0)
        hidden = api.ask(
            "EVAL", f"return getfenv(0)['{name}'] == nil and getfenv(loadstring('x=1'))['{name}'] == nil", 0
        )
        assert b"nonexistent global" in hidden or hidden == b":1\r\n"


def test_a_failure_inside_fakeredis_is_our_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    _, _, api = make()
    monkeypatch.setattr(ExpiringMembersSet, "update", fail)
    with pytest.raises(HarnessError, match=r"the simulated Redis broke on 'sadd' with \[b's', b'a'\]"):
        api.ask("SADD", "s", "a")


def test_two_nodes_in_one_process_keep_apart() -> None:
    first_host, _, first = make(1)
    _, _, second = make(1)
    first.ask("SET", "k", "v", "EX", 1)
    first_host.advance(5 * SECOND_US)
    assert second.ask("TIME") == b"*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n"
    assert second.ask("DBSIZE") == b":0\r\n"
    assert second.ask("SADD", "s", "a") == b":1\r\n"
    assert first.ask("GET", "k") == b"$-1\r\n"


def test_answers_do_not_depend_on_the_hash_seed() -> None:
    """All command scripts, played in two processes whose sets of bytes have another order."""
    plays = [
        subprocess.Popen(
            [sys.executable, "-c", _PLAY_ALL_SCRIPTS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
        )
        for seed in ("1", "2")
    ]
    digests = [play.communicate(timeout=50)[0] for play in plays]
    assert digests[0] == digests[1]
    assert len(digests[0]) == 65
