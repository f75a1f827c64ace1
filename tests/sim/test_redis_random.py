"""Random command sequences of two clients against the simulated Redis and a real redis-server 6.2."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import NotSimulated
from harness.sim.redis import RedisNode
from tests.conftest import Require
from tests.sim.redis_bench import HandHost, SimulatedClient, command
from tests.sim.redis_real import RealClient, RealServer, running_server
from tests.sim.redis_script import count_values, wait_until_blocked

CLIENTS = ("a", "b")
_UNORDERED = frozenset({"SMEMBERS", "SUNION", "SINTER", "SDIFF", "KEYS", "EXEC"})

key = st.sampled_from(["k", "l", "m", "n"])
element = st.sampled_from(["", "0", "1", "2", "-5", "x", "y", "1.5", "long-enough-value"])
index = st.sampled_from(["0", "1", "2", "-1", "-2", "100", "x"])
number = st.sampled_from(
    ["0", "1", "-3", "7", "1.25", "inf", "-inf", "nan", "9223372036854775807", "abc", ""]
)
bound = st.sampled_from(["-inf", "+inf", "0", "1", "(1", "2", "-5", "x"])
end = st.sampled_from(["LEFT", "RIGHT", "left", "FOO"])
entry = st.sampled_from(["1-1", "1-2", "2", "3-1", "0-0", "5-5", "x"])


def words(*parts: Any) -> st.SearchStrategy[list[str]]:
    """A command from constants and strategies; a strategy of lists is spliced in."""
    drawn = [st.just(part) if isinstance(part, str) else part for part in parts]
    return st.tuples(*drawn).map(
        lambda values: [word for value in values for word in ([value] if isinstance(value, str) else value)]
    )


def some(strategy: st.SearchStrategy[str], least: int = 1, most: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(strategy, min_size=least, max_size=most)


def one_of(*options: str) -> st.SearchStrategy[list[str]]:
    """Any of the options, which are words in a row, or nothing."""
    return st.sampled_from([option.split() for option in ("", *options)])


STRINGS = [
    words(
        "SET", key, element, one_of("NX", "XX", "GET", "KEEPTTL", "EX 1000", "XX GET", "EX 0", "KEEPTTL XX")
    ),
    words("GET", key),
    words("GETSET", key, element),
    words("GETDEL", key),
    words("GETEX", key, one_of("EX 1000", "PERSIST", "EX 0")),
    words("APPEND", key, element),
    words("INCRBY", key, number),
    words("DECRBY", key, number),
    words("INCRBYFLOAT", key, number),
    words("STRLEN", key),
    words("SETRANGE", key, index, element),
    words("GETRANGE", key, index, index),
    words("MSETNX", key, element, key, element),
    words("MGET", some(key)),
    words("SETBIT", key, index, st.sampled_from("01")),
]
KEYS = [
    words("DEL", some(key)),
    words("EXISTS", some(key)),
    words("EXPIRE", key, st.sampled_from(["1000", "0", "-1"])),
    words("PERSIST", key),
    words("TYPE", key),
    words("RENAME", key, key),
    words("RENAMENX", key, key),
    words("COPY", key, key, one_of("REPLACE", "DB 1")),
    words("MOVE", key, st.sampled_from("01")),
    words("KEYS", st.sampled_from(["*", "[kl]", "?", "z*"])),
    words("DBSIZE"),
    words("FLUSHDB"),
    words("SELECT", st.sampled_from("001")),
]
LISTS = [
    words("LPUSH", key, some(element)),
    words("RPUSH", key, some(element)),
    words("RPUSHX", key, element),
    words("LPOP", key, one_of("0", "2", "-1")),
    words("RPOP", key, one_of("1")),
    words("LRANGE", key, index, index),
    words("LINDEX", key, index),
    words("LSET", key, index, element),
    words("LREM", key, index, element),
    words("LTRIM", key, index, index),
    words("LINSERT", key, st.sampled_from(["BEFORE", "AFTER"]), element, element),
    words("LPOS", key, element, one_of("RANK -1", "COUNT 0", "MAXLEN 1")),
    words("LMOVE", key, key, end, end),
    words("BLPOP", some(key, 1, 2), "0"),
    words("BRPOP", key, "0"),
    words("BLMOVE", key, key, end, end, "0"),
]
HASHES = [
    words("HSET", key, element, element),
    words("HSETNX", key, element, element),
    words("HGETALL", key),
    words("HGET", key, element),
    words("HDEL", key, some(element)),
    words("HINCRBY", key, element, number),
    words("HINCRBYFLOAT", key, element, number),
    words("HMGET", key, some(element)),
    words("HKEYS", key),
    words("HSCAN", key, "0"),
]
SETS = [
    words("SADD", key, some(element)),
    words("SREM", key, some(element)),
    words("SMEMBERS", key),
    words("SMISMEMBER", key, some(element)),
    words("SMOVE", key, key, element),
    words("SCARD", key),
    *[words(name, some(key, 1, 2)) for name in ("SUNION", "SINTER", "SDIFF")],
    *[words(f"{name}STORE", key, some(key, 1, 2)) for name in ("SUNION", "SINTER", "SDIFF")],
]
ZSETS = [
    words("ZADD", key, one_of("NX", "XX", "GT", "LT", "CH", "INCR", "GT CH", "NX INCR"), number, element),
    words("ZADD", key, number, element, number, element),
    words("ZINCRBY", key, number, element),
    words("ZREM", key, some(element)),
    words("ZSCORE", key, element),
    words("ZRANK", key, element),
    words("ZRANGE", key, index, index, one_of("WITHSCORES", "REV")),
    words("ZRANGE", key, bound, bound, "BYSCORE", one_of("WITHSCORES", "REV", "LIMIT 1 1")),
    words("ZCOUNT", key, bound, bound),
    words("ZPOPMIN", key, one_of("2", "0")),
    words("ZREMRANGEBYSCORE", key, bound, bound),
    words("ZREMRANGEBYRANK", key, index, index),
    words("ZRANGESTORE", key, key, index, index),
    words("ZUNIONSTORE", key, "2", key, key, one_of("WEIGHTS 2 3", "AGGREGATE MAX")),
    words("ZINTER", "2", key, key, one_of("WITHSCORES")),
    words("ZDIFF", "2", key, key, one_of("WITHSCORES")),
    words("BZPOPMAX", key, "0"),
]
STREAMS = [
    words("XADD", key, entry, element, element),
    words("XRANGE", key, st.sampled_from(["-", "1", "(1-1"]), st.sampled_from(["+", "2"]), one_of("COUNT 1")),
    words("XREAD", one_of("COUNT 1", "BLOCK 0"), "STREAMS", key, st.sampled_from(["0", "1-1", "$"])),
    words("XDEL", key, some(entry)),
    words("XTRIM", key, "MAXLEN", st.sampled_from("012")),
    words("XGROUP", "CREATE", key, "g", st.sampled_from(["0", "$", "1"]), one_of("MKSTREAM")),
    words("XREADGROUP", "GROUP", "g", st.sampled_from("pq"), "STREAMS", key, st.sampled_from([">", "0"])),
    words("XACK", key, "g", some(entry)),
    words("XPENDING", key, "g"),
]
TRANSACTIONS = [
    *[words("MULTI")] * 3,
    *[words("EXEC")] * 4,
    words("DISCARD"),
    *[words("WATCH", some(key, 1, 2))] * 2,
    words("UNWATCH"),
    words("EVAL", "return redis.call('lpop', KEYS[1])", "1", key),
    words("EVAL", "return redis.pcall('incr', KEYS[1])", "1", key),
]
FAMILIES = {
    "strings": STRINGS,
    "lists": LISTS,
    "hashes": HASHES,
    "sets": SETS,
    "zsets": ZSETS,
    "streams": STREAMS,
}


@pytest.fixture(scope="module")
def server(require: Require) -> Iterator[RealServer]:
    with running_server(require) as running:
        yield running


@pytest.mark.parametrize("family", FAMILIES)
def test_random_sequences_get_the_same_answers(family: str, server: RealServer) -> None:
    commands = st.one_of(*FAMILIES[family], *FAMILIES[family], *KEYS, *TRANSACTIONS, *STRINGS[:3])
    steps = st.lists(st.tuples(st.sampled_from(CLIENTS), commands), min_size=8, max_size=40)

    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(steps=steps, resp=st.sampled_from([2, 3]))
    def check(steps: list[tuple[str, list[str]]], resp: int) -> None:
        Comparison(server, resp).play(steps)

    check()


class Comparison:
    """One sequence, step by step on both servers."""

    def __init__(self, server: RealServer, resp: int) -> None:
        node = RedisNode(HandHost())
        self._simulated = {name: SimulatedClient(node, name) for name in CLIENTS}
        self._server = server
        self._resp = resp
        self._waiting: dict[str, str] = {}
        self._log: list[str] = []

    def play(self, steps: list[tuple[str, list[str]]]) -> None:
        with (
            RealClient(self._server) as control,
            RealClient(self._server) as a,
            RealClient(self._server) as b,
        ):
            control.ask("FLUSHALL")
            real = {"a": a, "b": b}
            for name in CLIENTS:
                self._simulated[name].ask("HELLO", self._resp)
                real[name].ask("HELLO", self._resp)
            for name, asked in steps:
                if name not in self._waiting and not self._step(name, asked, real, control):
                    return

    def _step(self, name: str, asked: list[str], real: dict[str, RealClient], control: RealClient) -> bool:
        """Returns False when there is no going on."""
        self._log.append(f"{name}: {' '.join(asked)}")
        try:
            ours = self._simulated[name].ask(*asked)
        except NotSimulated:
            self._log.append("(not simulated)")
            return asked[0] != "EXEC"
        real[name].send(command(*asked))
        if ours:
            self._compare(name, asked[0], ours, real[name])
        else:
            self._waiting[name] = asked[0]
            wait_until_blocked(control, len(self._waiting), " ".join(asked))
        for other, blocked_in in list(self._waiting.items()):
            woken = self._simulated[other].take()
            if woken:
                del self._waiting[other]
                self._compare(other, blocked_in, woken, real[other])
        return True

    def _compare(self, name: str, verb: str, ours: bytes, real: RealClient) -> None:
        theirs = real.take(count_values(ours))
        equal = ours == theirs
        if not equal and verb in _UNORDERED:
            equal = _in_any_order(ours) == _in_any_order(theirs)
        assert equal, f"{name} got {ours!r} simulated and {theirs!r} real after\n" + "\n".join(self._log)


def _in_any_order(data: bytes) -> list[bytes]:
    return sorted(re.split(rb"\r\n(?=[$*%~:+_,-])", data[:-2]))
