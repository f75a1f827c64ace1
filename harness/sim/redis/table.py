"""Every command of the simulated Redis. What is not in this table is not simulated.

The number of words and what is allowed in scripts are those of redis-server 6.2 (`COMMAND`). Each command here
appears in a script of tests/sim/redis_scripts, which runs against a real redis-server too.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.sim.redis import (
    blocking,
    connection,
    expiring,
    hashes,
    lists,
    pubsub,
    scanning,
    scripting,
    server,
    sets,
    streams,
    strings,
    transactions,
    zsets,
)
from harness.sim.redis.command import CONTAINERS, Command, Reshape, Run
from harness.sim.redis.reply import Elements

if TYPE_CHECKING:
    from harness.sim.redis.session import Session

_BORROWED = {
    # strings and bits
    "append": 3, "bitcount": -2, "decr": 2, "get": 2, "getbit": 3, "getdel": 2, "getrange": 4, "getset": 3,
    "incr": 2, "incrby": 3, "mget": -2, "setnx": 3, "setrange": 4, "strlen": 2, "substr": 4,
    # keys
    "del": -2, "exists": -2, "keys": 2, "randomkey": 1, "rename": 3, "renamenx": 3, "type": 2, "unlink": -2,
    # hashes
    "hdel": -3, "hexists": 3, "hget": 3, "hgetall": 2, "hincrby": 4, "hkeys": 2, "hlen": 2, "hmget": -3,
    "hmset": -4, "hset": -4, "hsetnx": 4, "hstrlen": 3, "hvals": 2,
    # lists
    "llen": 2, "lpush": -3, "lpushx": -3, "lrange": 4, "lrem": 4, "ltrim": 4, "rpoplpush": 3,
    "rpush": -3, "rpushx": -3,
    # sets
    "scard": 2, "sdiff": -2, "sdiffstore": -3, "sinter": -2, "sinterstore": -3, "sismember": 3,
    "smembers": 2, "smismember": -3, "srem": -3, "sunion": -2, "sunionstore": -3,
    # sorted sets
    "zcard": 2, "zcount": 4, "zinter": -3, "zinterstore": -4, "zmscore": -3,
    "zrank": 3, "zrem": -3, "zremrangebyrank": 4, "zremrangebyscore": 4,
    "zrevrank": 3, "zscore": 3, "zunion": -3, "zunionstore": -4,
    # streams
    "xack": -4, "xlen": 2, "xtrim": -4, "xgroup createconsumer": 5, "xgroup delconsumer": 5,
    "xgroup destroy": 4, "xgroup setid": 5,
}  # fmt: skip

_OWN: dict[str, tuple[int, Run]] = {
    "auth": (-2, connection.auth),
    "blmove": (6, blocking.blmove),
    "blpop": (-3, blocking.blpop),
    "brpop": (-3, blocking.brpop),
    "brpoplpush": (4, blocking.brpoplpush),
    "bzpopmax": (-3, blocking.bzpopmax),
    "bzpopmin": (-3, blocking.bzpopmin),
    "client getname": (2, connection.client_getname),
    "client id": (2, connection.client_id),
    "client maint_notifications": (-2, connection.client_maint_notifications),
    "client setinfo": (-2, connection.client_setinfo),
    "client setname": (3, connection.client_setname),
    "config get": (3, server.config_get),
    "copy": (-3, server.copy),
    "dbsize": (1, server.dbsize),
    "decrby": (3, strings.decrby),
    "discard": (1, transactions.discard),
    "echo": (2, connection.echo),
    "eval": (-3, scripting.eval_),
    "evalsha": (-3, scripting.evalsha),
    "exec": (1, transactions.exec_),
    "expire": (3, expiring.expire),
    "expireat": (3, expiring.expireat),
    "flushall": (-1, server.flushall),
    "flushdb": (-1, server.flushdb),
    "getex": (-2, expiring.getex),
    "hello": (-1, connection.hello),
    "hincrbyfloat": (4, hashes.hincrbyfloat),
    "hrandfield": (-2, hashes.hrandfield),
    "hscan": (-3, scanning.hscan),
    "incrbyfloat": (3, strings.incrbyfloat),
    "info": (-1, server.info),
    "lindex": (3, lists.lindex),
    "linsert": (5, lists.linsert),
    "lmove": (5, lists.lmove),
    "lpop": (-2, lists.lpop),
    "lpos": (-3, lists.lpos),
    "lset": (4, lists.lset),
    "move": (3, server.move),
    "mset": (-3, strings.mset),
    "msetnx": (-3, strings.msetnx),
    "multi": (1, transactions.multi),
    "persist": (2, expiring.persist),
    "pexpire": (3, expiring.pexpire),
    "pexpireat": (3, expiring.pexpireat),
    "ping": (-1, connection.ping),
    "psetex": (4, expiring.psetex),
    "psubscribe": (-2, pubsub.psubscribe),
    "pttl": (2, expiring.pttl),
    "publish": (3, pubsub.publish),
    "pubsub channels": (-2, pubsub.pubsub_channels),
    "pubsub numpat": (2, pubsub.pubsub_numpat),
    "pubsub numsub": (-2, pubsub.pubsub_numsub),
    "punsubscribe": (-1, pubsub.punsubscribe),
    "quit": (-1, connection.quit_),
    "reset": (1, connection.reset),
    "rpop": (-2, lists.rpop),
    "sadd": (-3, sets.sadd),
    "scan": (-2, scanning.scan),
    "script exists": (-2, scripting.script_exists),
    "script flush": (-2, scripting.script_flush),
    "script kill": (2, scripting.script_kill),
    "script load": (3, scripting.script_load),
    "select": (2, connection.select),
    "set": (-3, expiring.set_),
    "setbit": (4, strings.setbit),
    "setex": (4, expiring.setex),
    "smove": (4, sets.smove),
    "spop": (-2, sets.spop),
    "srandmember": (-2, sets.srandmember),
    "sscan": (-3, scanning.sscan),
    "subscribe": (-2, pubsub.subscribe),
    "time": (1, server.time),
    "touch": (-2, server.touch),
    "ttl": (2, expiring.ttl),
    "unsubscribe": (-1, pubsub.unsubscribe),
    "unwatch": (1, transactions.unwatch),
    "watch": (-2, transactions.watch),
    "xadd": (-5, streams.xadd),
    "xautoclaim": (-6, streams.xautoclaim),
    "xclaim": (-6, streams.xclaim),
    "xdel": (-3, streams.xdel),
    "xgroup create": (-5, streams.xgroup_create),
    "xpending": (-3, streams.xpending),
    "xrange": (-4, streams.xrange),
    "xread": (-4, blocking.xread),
    "xreadgroup": (-7, blocking.xreadgroup),
    "xrevrange": (-4, streams.xrevrange),
    "zadd": (-4, zsets.zadd),
    "zdiff": (-3, zsets.zdiff),
    "zdiffstore": (-4, zsets.zdiffstore),
    "zincrby": (4, zsets.zincrby),
    "zlexcount": (4, zsets.zlexcount),
    "zpopmax": (-2, zsets.zpopmax),
    "zpopmin": (-2, zsets.zpopmin),
    "zrandmember": (-2, zsets.zrandmember),
    "zrange": (-4, zsets.zrange),
    "zrangebylex": (-4, zsets.zrangebylex),
    "zrangebyscore": (-4, zsets.zrangebyscore),
    "zrangestore": (-5, zsets.zrangestore),
    "zremrangebylex": (4, zsets.zremrangebylex),
    "zrevrange": (-4, zsets.zrevrange),
    "zrevrangebylex": (-4, zsets.zrevrangebylex),
    "zrevrangebyscore": (-4, zsets.zrevrangebyscore),
    "zscan": (-3, scanning.zscan),
}

_NOT_IN_SCRIPTS = frozenset(
    {"auth", "blmove", "blpop", "brpop", "brpoplpush", "bzpopmax", "bzpopmin", "client", "config", "discard", "eval",
     "evalsha", "exec", "hello", "multi", "psubscribe", "punsubscribe", "quit", "reset", "script", "subscribe",
     "unsubscribe", "unwatch", "watch"}
)  # fmt: skip
_SUBSCRIBING = frozenset({"subscribe", "unsubscribe", "psubscribe", "punsubscribe"})
_NEVER_QUEUED = frozenset({"multi", "exec", "discard", "watch", "quit", "reset"})

# What Redis has learnt since 6.2: a command that fails for want of it is refused, not failed.
_NEWER_EXPIRE = frozenset({b"nx", b"xx", b"gt", b"lt"})
_NEWER_STREAM = frozenset({b"keepref", b"delref", b"acked", b"idmp", b"idmpauto"})
_NEWER: dict[str, frozenset[bytes]] = {
    "expire": _NEWER_EXPIRE,
    "expireat": _NEWER_EXPIRE,
    "pexpire": _NEWER_EXPIRE,
    "pexpireat": _NEWER_EXPIRE,
    "set": frozenset({b"ifeq", b"ifne", b"ifdeq", b"ifdne"}),
    "bitcount": frozenset({b"byte", b"bit"}),
    "hscan": frozenset({b"novalues"}),
    "zrank": frozenset({b"withscore"}),
    "zrevrank": frozenset({b"withscore"}),
    "xadd": _NEWER_STREAM,
    "xtrim": _NEWER_STREAM,
    "xreadgroup": frozenset({b"claim"}),
    "xgroup create": frozenset({b"entriesread"}),
    "xgroup setid": frozenset({b"entriesread"}),
}


def _as_set(value: object, _args: list[bytes]) -> object:
    return Elements(value) if isinstance(value, list) else value


_RESHAPED: dict[str, Reshape] = dict.fromkeys(("sdiff", "sinter", "smembers", "sunion"), _as_set)


def _alone(_session: "Session", _args: list[bytes]) -> object:
    """A container without a subcommand: there are never enough words to get here."""
    raise HarnessError("a Redis command group was called without a subcommand")


def _commands() -> Iterator[Command]:
    for name in sorted(CONTAINERS):
        yield _command(name, -2, _alone)
    for name, arity in _BORROWED.items():
        yield _command(name, arity, _borrowed(name))
    for name, (arity, run) in _OWN.items():
        yield _command(name, arity, run)


def _borrowed(name: str) -> Run:
    return lambda session, args: session.borrow(name, args)


def _command(name: str, arity: int, run: Run) -> Command:
    return Command(
        name,
        arity,
        run,
        in_script=name.split(" ")[0] not in _NOT_IN_SCRIPTS,
        in_transaction=name not in _SUBSCRIBING,
        queued=name not in _NEVER_QUEUED,
        newer=_NEWER.get(name, frozenset()),
        reshape=_RESHAPED.get(name),
    )


COMMANDS = {command.name: command for command in _commands()}
