"""What the simulated Redis knows about one command, apart from doing it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import NotSimulated
from harness.sim.redis.borrowed import SimpleError

if TYPE_CHECKING:
    from harness.sim.redis.session import Session

CONTAINERS = frozenset({"client", "config", "pubsub", "script", "xgroup"})
_REMEDY = (
    "The simulated Redis answers exactly what redis-server 6.2 answers, or refuses: "
    "avoid it in the service, put it behind a seam that the scenario replaces, or run this scenario in the live world"
)
_SHOWN = 60

Run = Callable[["Session", list[bytes]], Any]
Reshape = Callable[[Any, list[bytes]], Any]


@dataclass(frozen=True, slots=True)
class Command:
    """One command as redis-server 6.2 has it.

    name: in lower case, with its subcommand: ``get``, ``xgroup create``.
    arity: the number of words, the name included; at least that many when it is negative.
    run: given the session and the words after the name; raises `SimpleError` for an error answer.
    """

    name: str
    arity: int
    run: Run
    in_script: bool = True
    in_transaction: bool = True
    queued: bool = True
    newer: frozenset[bytes] = frozenset()
    reshape: Reshape | None = None

    def takes(self, words: int) -> bool:
        return words == self.arity if self.arity >= 0 else words >= -self.arity

    def arity_error(self, words: list[bytes]) -> SimpleError:
        container = self.name.split(" ")[0]
        if container in CONTAINERS and len(words) > 1:
            return unknown_subcommand(words)
        return SimpleError(f"ERR wrong number of arguments for '{container}' command")

    def is_newer(self, error: str, args: list[bytes]) -> bool:
        """Whether 6.2 rejects this only because it does not know an option of later versions."""
        if not self.newer or not (
            error == "" or error.startswith(("ERR syntax", "ERR wrong number", "ERR Invalid stream"))
        ):
            return False
        return any(word.lower() in self.newer or word.endswith(b"-*") for word in args)


def unknown_subcommand(words: list[bytes]) -> SimpleError:
    """What 6.2 says about a subcommand that it does not have."""
    container, sub = (word.decode("utf-8", "surrogateescape") for word in words[:2])
    return SimpleError(
        f"ERR Unknown subcommand or wrong number of arguments for '{sub}'. Try {container.upper()} HELP."
    )


def not_simulated(words: list[bytes], circumstance: str) -> NotSimulated:
    """The refusal that names the command as it was sent."""
    shown = " ".join(word.decode("utf-8", "backslashreplace") for word in words)
    if len(shown) > _SHOWN:
        shown = shown[:_SHOWN] + "..."
    return NotSimulated(f"Redis command `{shown}`" + (f" {circumstance}" if circumstance else ""), _REMEDY)
