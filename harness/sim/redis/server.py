"""Commands about the server and its keys as a whole."""

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from harness.sim.redis.borrowed import Int, SimpleError, SimpleString
from harness.sim.redis.command import not_simulated
from harness.sim.redis.connection import SERVER_VERSION
from harness.sim.redis.keyspace import DATABASES
from harness.sim.redis.reply import OK, Verbatim

if TYPE_CHECKING:
    from harness.sim.redis.session import Session

_CONFIG = {
    b"appendonly": b"no",
    b"databases": b"16",
    b"maxmemory": b"0",
    b"maxmemory-policy": b"noeviction",
    b"notify-keyspace-events": b"",
    b"save": b"",
    b"timeout": b"0",
}


def config_get(_session: "Session", args: list[bytes]) -> dict[bytes, bytes]:
    """What a fresh server that keeps nothing on disk says."""
    name = args[0].lower()
    if name not in _CONFIG:
        raise not_simulated([b"CONFIG", b"GET", *args], "")
    return {name: _CONFIG[name]}


def dbsize(session: "Session", _args: list[bytes]) -> int:
    return len(session.db)


def flushall(session: "Session", args: list[bytes]) -> SimpleString:
    _check_flush_mode(args)
    session.keyspace.flush()
    return OK


def flushdb(session: "Session", args: list[bytes]) -> SimpleString:
    _check_flush_mode(args)
    session.db.clear()
    return OK


def info(_session: "Session", _args: list[bytes]) -> Verbatim:
    """The few lines that drivers look at, the same in every run."""
    return Verbatim(
        f"# Server\r\nredis_version:{SERVER_VERSION}\r\nredis_mode:standalone\r\nos:simulated\r\narch_bits:64\r\n"
        "\r\n# Persistence\r\nloading:0\r\nasync_loading:0\r\n"
        "\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n"
        "\r\n# Cluster\r\ncluster_enabled:0\r\n".encode()
    )


def time(session: "Session", _args: list[bytes]) -> list[bytes]:
    seconds, micros = divmod(session.keyspace.now_us, 1_000_000)
    return [b"%d" % seconds, b"%d" % micros]


def touch(session: "Session", args: list[bytes]) -> int:
    return sum(key in session.db for key in args)


def copy(session: "Session", args: list[bytes]) -> int:
    """COPY source destination [DB number] [REPLACE]"""
    source, target = args[:2]
    number, replace = session.db.number, False
    rest = args[2:]
    while rest:
        if rest[0].lower() == b"replace":
            replace, rest = True, rest[1:]
        elif rest[0].lower() == b"db" and len(rest) > 1:
            number, rest = Int.decode(rest[1]), rest[2:]
            if not 0 <= number < DATABASES:
                raise SimpleError("ERR DB index is out of range")
        else:
            raise SimpleError("ERR syntax error")
    if number == session.db.number and source == target:
        raise SimpleError("ERR source and destination objects are the same")
    item = session.db.get(source)
    database = session.keyspace.dbs[number]
    if item is None or (target in database and not replace):
        return 0
    database.store(target, deepcopy(item.value), item.expireat)
    return 1


def move(session: "Session", args: list[bytes]) -> int:
    number = Int.decode(args[1])
    if not 0 <= number < DATABASES:
        raise SimpleError("ERR DB index is out of range")
    if number == session.db.number:
        raise SimpleError("ERR source and destination objects are the same")
    item: Any = session.db.get(args[0])
    database = session.keyspace.dbs[number]
    if item is None or args[0] in database:
        return 0
    session.db.drop(args[0])
    database.store(args[0], item.value, item.expireat)
    return 1


def _check_flush_mode(args: list[bytes]) -> None:
    if len(args) > 1 or (args and args[0].lower() not in (b"sync", b"async")):
        raise SimpleError("ERR syntax error")
