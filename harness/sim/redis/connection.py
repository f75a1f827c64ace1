"""Commands about the connection: HELLO, AUTH, CLIENT, SELECT, PING, RESET, QUIT."""

from typing import TYPE_CHECKING, Any

from harness.sim.redis.borrowed import Int, SimpleError, SimpleString
from harness.sim.redis.command import unknown_subcommand
from harness.sim.redis.keyspace import DATABASES
from harness.sim.redis.reply import OK

if TYPE_CHECKING:
    from harness.sim.redis.session import Session

SERVER_VERSION = "6.2.14"
_WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
_NO_PASSWORD_SET = (
    "ERR AUTH <password> called without any password configured for the default user."
    " Are you sure your configuration is correct?"
)
_BAD_NAME = "ERR Client names cannot contain spaces, newlines or special characters."


def hello(session: "Session", args: list[bytes]) -> dict[str, Any]:
    """HELLO [version [AUTH user password] [SETNAME name]]"""
    version = session.resp
    name = session.name
    if args:
        version = Int.decode(args[0], "ERR Protocol version is not an integer or out of range")
        if version not in (2, 3):
            raise SimpleError("NOPROTO unsupported protocol version")
    rest = args[1:]
    while rest:
        option = rest[0].lower()
        if option == b"auth" and len(rest) >= 3:
            _check_password(rest[1])
            rest = rest[3:]
        elif option == b"setname" and len(rest) >= 2:
            name = _checked_name(rest[1])
            rest = rest[2:]
        else:
            raise SimpleError(f"ERR Syntax error in HELLO option '{rest[0].decode('latin-1')}'")
    session.resp = version
    session.name = name
    return {
        "server": "redis",
        "version": SERVER_VERSION,
        "proto": version,
        "id": session.number,
        "mode": "standalone",
        "role": "master",
        "modules": [],
    }


def auth(_session: "Session", args: list[bytes]) -> SimpleString:
    """A fresh server has one user, `default`, that needs no password and so takes any."""
    if len(args) > 2:
        raise SimpleError("ERR syntax error")
    if len(args) == 1:
        raise SimpleError(_NO_PASSWORD_SET)
    _check_password(args[0])
    return OK


def client_id(session: "Session", _args: list[bytes]) -> int:
    return session.number


def client_getname(session: "Session", _args: list[bytes]) -> bytes | None:
    return session.name or None


def client_setname(session: "Session", args: list[bytes]) -> SimpleString:
    session.name = _checked_name(args[0])
    return OK


def client_setinfo(_session: "Session", _args: list[bytes]) -> Any:
    """Drivers send it to every server and do not mind that 6.2 has no such thing."""
    raise unknown_subcommand([b"CLIENT", b"SETINFO"])


def client_maint_notifications(_session: "Session", _args: list[bytes]) -> Any:
    """As `client_setinfo`."""
    raise unknown_subcommand([b"CLIENT", b"MAINT_NOTIFICATIONS"])


def echo(_session: "Session", args: list[bytes]) -> bytes:
    return args[0]


def ping(session: "Session", args: list[bytes]) -> Any:
    if len(args) > 1:
        raise SimpleError("ERR wrong number of arguments for 'ping' command")
    if session.resp == 2 and session.channels.count(session):
        return [b"pong", args[0] if args else b""]
    return args[0] if args else SimpleString(b"PONG")


def quit_(session: "Session", _args: list[bytes]) -> SimpleString:
    session.closing = True
    return OK


def reset(session: "Session", _args: list[bytes]) -> SimpleString:
    session.queue = None
    session.forget_watches()
    session.channels.leave(session)
    session.name = b""
    session.resp = 2
    session.select_database(0)
    return SimpleString(b"RESET")


def select(session: "Session", args: list[bytes]) -> SimpleString:
    number = Int.decode(args[0])
    if not 0 <= number < DATABASES:
        raise SimpleError("ERR DB index is out of range")
    session.select_database(number)
    return OK


def _check_password(user: bytes) -> None:
    if user != b"default":
        raise SimpleError(_WRONG_PASSWORD)


def _checked_name(name: bytes) -> bytes:
    if any(byte < 33 or byte > 126 for byte in name):
        raise SimpleError(_BAD_NAME)
    return name
