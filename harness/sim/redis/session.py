"""One client of the simulated Redis: finds the command, runs or queues it, and encodes its answer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, NotSimulated
from harness.sim.redis.arguments import WRONG_TYPE
from harness.sim.redis.borrowed import SUPPORTED_COMMANDS, BorrowedCommands, SimpleError
from harness.sim.redis.command import CONTAINERS, Command, not_simulated
from harness.sim.redis.keyspace import VERSION, Keyspace, VirtualDatabase
from harness.sim.redis.reply import LATER, QUEUED, encode, error_line
from harness.sim.redis.table import COMMANDS
from harness.sim.redis.transactions import abandon
from harness.sim.service import Wire

if TYPE_CHECKING:
    from harness.sim.redis.blocking import Waiters
    from harness.sim.redis.pubsub import Channels
    from harness.sim.redis.scripting import Scripts

_WHILE_SUBSCRIBED = frozenset(
    {"ping", "subscribe", "unsubscribe", "psubscribe", "punsubscribe", "quit", "reset"}
)
_LEAVE_EMPTY = "v"
_ARGUMENTS_FIRST = frozenset({"hincrby", "lpos", "setrange", "zadd", "zrange", "zrevrange"})


class ClientInfo:
    """What fakeredis' commands ask about their client."""

    def __init__(self) -> None:
        self.protocol_version = 2


class Session(BorrowedCommands):
    """The server's side of one connection."""

    version = VERSION
    server_type = "redis"

    def __init__(
        self,
        wire: Wire,
        number: int,
        keyspace: Keyspace,
        waiters: "Waiters",
        channels: "Channels",
        scripts: "Scripts",
    ) -> None:
        super().__init__()
        self.wire = wire
        self.number = number
        self.name = b""
        self.keyspace = keyspace
        self.waiters = waiters
        self.channels = channels
        self.scripts = scripts
        self.queue: list[tuple[Command, list[bytes]]] | None = None
        self.queue_broken = False
        self.watches: dict[tuple[VirtualDatabase, bytes], bool] = {}
        self.watch_broken = False
        self.in_transaction = False
        self.closing = False
        self._client_info = ClientInfo()  # type: ignore[assignment]
        self._server = keyspace  # type: ignore[assignment]
        self.select_database(0)

    @property
    def resp(self) -> int:
        """The protocol version that HELLO has chosen."""
        return self._client_info.protocol_version

    @resp.setter
    def resp(self, version: int) -> None:
        self._client_info.protocol_version = version  # type: ignore[misc]

    @property
    def db(self) -> VirtualDatabase:
        """The selected database."""
        return self._db  # type: ignore[return-value]

    def select_database(self, number: int) -> None:
        self._db_num = number
        self._db = self.keyspace.dbs[number]

    @staticmethod
    def find_command(words: list[bytes]) -> tuple[Command, list[bytes]]:
        """The command and its arguments. Raises `NotSimulated` for one that is not in the table."""
        name = words[0].decode("latin-1").lower()
        args = words[1:]
        if name in CONTAINERS and args:
            name = f"{name} {args[0].decode('latin-1').lower()}"
            args = args[1:]
        command = COMMANDS.get(name)
        if command is None:
            raise not_simulated(words, "")
        return command, args

    def execute(self, words: list[bytes]) -> bytes | None:
        """The answer to one command; None when it has been parked. Raises `NotSimulated`."""
        command, args = self.find_command(words)
        refusal = self._refusal(command, words)
        if refusal is not None:
            return error_line(refusal)
        if self.queue is not None and command.queued:
            if not command.in_transaction:
                raise not_simulated(words, "between MULTI and EXEC")
            self.queue.append((command, args))
            return encode(QUEUED, self.resp)
        value = self.run(command, args)
        return None if value is LATER else encode(value, self.resp)

    def run(self, command: Command, args: list[bytes]) -> Any:
        """What `command` returns; an error of the command is returned too."""
        try:
            value = command.run(self, args)
        except SimpleError as error:
            if command.is_newer(error.value, args):
                raise not_simulated(
                    [command.name.encode(), *args], "with an option that is newer than 6.2"
                ) from None
            return error
        except NotSimulated:
            raise
        except Exception as error:
            raise HarnessError(f"the simulated Redis broke on {command.name!r} with {args!r}") from error
        return value if command.reshape is None else command.reshape(value, args)

    def borrow(self, name: str, args: list[bytes], quietly: bool = False) -> Any:
        """Runs fakeredis' own implementation of a command and writes its keys back.

        quietly: the keys are not changed in the sense of WATCH.
        """
        signature = SUPPORTED_COMMANDS[name]
        try:
            applied: Any = signature.apply(args, self._db, VERSION)
        except SimpleError as error:
            if error.value == WRONG_TYPE and name in _ARGUMENTS_FIRST:
                self._check_arguments(name, args)
            raise
        if len(applied) == 1:
            return applied[0]
        values, items = applied
        method: Callable[..., Any] = getattr(self, signature.func_name)
        result = method(*values)
        for item in () if quietly else items:
            drops_empty = _LEAVE_EMPTY not in signature.flags
            # An empty result that finds nothing to replace changes nothing, so nobody who watches the key is told.
            if item or item.key in self._db or not drops_empty:
                item.writeback(remove_empty_val=drops_empty)
        return result

    def _check_arguments(self, name: str, args: list[bytes]) -> None:
        """Raises what is wrong with the arguments, if anything: some commands read them before they look at the key."""
        database, self._db = self._db, VirtualDatabase(self.keyspace, self._db_num)
        try:
            self.borrow(name, args, quietly=True)
        finally:
            self._db = database

    def add_subkey_event(self, event: bytes, key: bytes, subkeys: Any) -> None:
        """fakeredis tells about changed hash fields; nobody can be listening."""

    def watched_key_changed(self) -> None:
        self.watch_broken = True

    def close(self) -> None:
        """Forgets everything that others hold about this client."""
        self.forget_watches()
        self.channels.leave(self)
        self.waiters.forget(self)

    def forget_watches(self) -> None:
        for database, key in self.watches:
            database.remove_watch(key, self)
        self.watches.clear()
        self.watch_broken = False

    def _refusal(self, command: Command, words: list[bytes]) -> SimpleError | None:
        if not command.takes(len(words)):
            if command.is_newer("", words[1:]):
                raise not_simulated(words, "with an option that is newer than 6.2")
            self.queue_broken = self.queue is not None
            error = command.arity_error(words)
            return abandon(self, error) if command.name == "exec" else error
        if self.resp == 2 and self.channels.count(self) and command.name not in _WHILE_SUBSCRIBED:
            return SimpleError(
                f"ERR Can't execute '{command.name}': only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT / RESET"
                " are allowed in this context"
            )
        return None
