"""EVAL, EVALSHA and SCRIPT: Lua scripts that run as one step, as in redis-server 6.2."""

import hashlib
from typing import TYPE_CHECKING, Any

from harness.sim.redis.borrowed import Int, SimpleError, SimpleString
from harness.sim.redis.command import not_simulated
from harness.sim.redis.lua import Sandbox
from harness.sim.redis.lua_error import LuaError
from harness.sim.redis.reply import OK, plain

if TYPE_CHECKING:
    from harness.sim.redis.session import Session


class Scripts:
    """The script cache of one server, and the Lua state that its scripts run in."""

    def __init__(self) -> None:
        self.sources: dict[bytes, bytes] = {}
        self._compiled: dict[bytes, Any] = {}
        self._sandbox: Sandbox | None = None
        self._caller: Session | None = None

    def load(self, source: bytes) -> bytes:
        """Compiles `source`, keeps it and returns its SHA-1 in hex."""
        sha = _sha1hex(source)
        if sha not in self.sources:
            if source.startswith(b"#!"):
                raise not_simulated([b"EVAL", source.split(b"\n")[0]], "with a header of Redis 7")
            try:
                self._compiled[sha] = self.sandbox.compile(source)
            except LuaError as error:
                raise _simple_error(f"ERR Error compiling script (new function): {error}") from None
            self.sources[sha] = source
        return sha

    def flush(self) -> None:
        self.sources.clear()
        self._compiled.clear()

    def run(self, session: "Session", sha: bytes, keys: list[bytes], argv: list[bytes]) -> Any:
        """The script's answer. Its commands act for `session`, in RESP2 and from its database."""
        database, resp = session.db.number, session.resp
        self._caller = session
        session.resp = 2
        try:
            result = self.sandbox.run(self._compiled[sha], keys, argv)
        except LuaError as error:
            raise _simple_error(f"ERR Error running script (call to f_{sha.decode()}): {error}") from None
        finally:
            self._caller = None
            session.resp = resp
            session.select_database(database)
        return self._to_redis(result)

    @property
    def sandbox(self) -> Sandbox:
        if self._sandbox is None:
            self._sandbox = Sandbox(self._call, _sha1hex)
        return self._sandbox

    def _call(self, words: list[bytes]) -> Any:
        """One `redis.call`."""
        session = self._caller
        assert session is not None
        command, args = session.find_command(words)
        if not command.takes(len(words)):
            if command.is_newer("", args):
                raise not_simulated(words, "with an option that is newer than 6.2")
            raise self.sandbox.located("Wrong number of args calling Redis command From Lua script")
        if not command.in_script:
            raise self.sandbox.located("This Redis command is not allowed from scripts")
        value = session.run(command, args)
        if isinstance(value, SimpleError):
            raise LuaError(value.value.encode("utf-8", "surrogateescape").decode("latin-1"))
        return self._to_lua(plain(value))

    def _to_lua(self, value: Any) -> Any:
        if value is None:
            return False
        if isinstance(value, SimpleString):
            return self.sandbox.status_table(value.value)
        if isinstance(value, SimpleError):
            return self.sandbox.error_table(value.value.encode("utf-8", "surrogateescape"))
        if isinstance(value, list):
            return self.sandbox.table([self._to_lua(item) for item in value])
        return value

    def _to_redis(self, value: Any) -> Any:
        if isinstance(value, bool):
            return 1 if value else None
        if isinstance(value, int | float):
            return _truncated(value)
        if not self.sandbox.is_table(value):
            return value if isinstance(value, bytes) else None
        error, status = value[b"err"], value[b"ok"]
        if isinstance(error, bytes):
            return _simple_error(error.decode("latin-1"))
        if isinstance(status, bytes):
            return SimpleString(status.replace(b"\r", b" ").replace(b"\n", b" "))
        items: list[Any] = []
        while (item := value[len(items) + 1]) is not None:
            items.append(self._to_redis(item))
        return items


def eval_(session: "Session", args: list[bytes]) -> Any:
    keys, argv = _keys_and_args(args)
    return session.scripts.run(session, session.scripts.load(args[0]), keys, argv)


def evalsha(session: "Session", args: list[bytes]) -> Any:
    keys, argv = _keys_and_args(args)
    sha = args[0].lower()
    if sha not in session.scripts.sources:
        raise SimpleError("NOSCRIPT No matching script. Please use EVAL.")
    return session.scripts.run(session, sha, keys, argv)


def script_load(session: "Session", args: list[bytes]) -> bytes:
    return session.scripts.load(args[0])


def script_exists(session: "Session", args: list[bytes]) -> list[int]:
    return [int(sha.lower() in session.scripts.sources) for sha in args]


def script_flush(session: "Session", args: list[bytes]) -> SimpleString:
    if len(args) > 1 or (args and args[0].lower() not in (b"sync", b"async")):
        raise SimpleError("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    session.scripts.flush()
    return OK


def script_kill(_session: "Session", _args: list[bytes]) -> Any:
    raise SimpleError("NOTBUSY No scripts in execution right now.")


def _keys_and_args(args: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    count = Int.decode(args[1])
    if count > len(args) - 2:
        raise SimpleError("ERR Number of keys can't be greater than number of args")
    if count < 0:
        raise SimpleError("ERR Number of keys can't be negative")
    return args[2 : 2 + count], args[2 + count :]


def _truncated(number: float) -> int:
    """A Lua number as the integer that C makes of it."""
    if number != number or abs(number) >= 2**63:
        return -(2**63)
    return int(number)


def _sha1hex(source: bytes) -> bytes:
    return hashlib.sha1(source).hexdigest().encode()


def _simple_error(latin: str) -> SimpleError:
    return SimpleError(latin.encode("latin-1", "backslashreplace").decode("utf-8", "surrogateescape"))
