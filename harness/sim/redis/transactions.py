"""MULTI, EXEC, DISCARD, WATCH and UNWATCH."""

from typing import TYPE_CHECKING, Any

from harness.sim.redis.borrowed import SimpleError, SimpleString
from harness.sim.redis.reply import NO_LIST, OK, Encoded, encode

if TYPE_CHECKING:
    from harness.sim.redis.session import Session


def multi(session: "Session", _args: list[bytes]) -> SimpleString:
    if session.queue is not None:
        raise SimpleError("ERR MULTI calls can not be nested")
    session.queue = []
    session.queue_broken = False
    return OK


def discard(session: "Session", _args: list[bytes]) -> SimpleString:
    if session.queue is None:
        raise SimpleError("ERR DISCARD without MULTI")
    session.queue = None
    session.forget_watches()
    return OK


def exec_(session: "Session", _args: list[bytes]) -> Any:
    if session.queue is None:
        raise SimpleError("ERR EXEC without MULTI")
    queue, session.queue = session.queue, None
    changed = session.watch_broken or _watched_key_expired(session)
    session.forget_watches()
    if session.queue_broken:
        raise SimpleError("EXECABORT Transaction discarded because of previous errors.")
    if changed:
        return NO_LIST
    session.in_transaction = True
    try:
        return [Encoded(encode(session.run(command, args), session.resp)) for command, args in queue]
    finally:
        session.in_transaction = False


def abandon(session: "Session", error: SimpleError) -> SimpleError:
    """What an EXEC that cannot even be read does: it ends the transaction."""
    session.queue = None
    session.forget_watches()
    return SimpleError(f"EXECABORT Transaction discarded because of: {error.value.removeprefix('ERR ')}")


def watch(session: "Session", args: list[bytes]) -> SimpleString:
    if session.queue is not None:
        raise SimpleError("ERR WATCH inside MULTI is not allowed")
    for key in args:
        if (session.db, key) not in session.watches:
            session.watches[session.db, key] = key in session.db
            session.db.add_watch(key, session)
    return OK


def unwatch(session: "Session", _args: list[bytes]) -> SimpleString:
    session.forget_watches()
    return OK


def _watched_key_expired(session: "Session") -> bool:
    """A key that was there when it was watched and has expired since counts as changed."""
    return any(existed and key not in database for (database, key), existed in session.watches.items())
