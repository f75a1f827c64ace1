"""Racing pairs: which messages of a run could have come in the other order, and where that could matter.

Two messages race when they go to the same node, neither is a cause of the other (see `harness.search.causes`),
and the node is one where the order can be seen: any process, or a store where both touch the same table or key
(or one ends a transaction).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.history import Delivery
from harness.names import MessageName
from harness.search.causes import ancestors

STORE_PROTOCOLS = ("postgres", "resp")
_ENDS = frozenset(("COMMIT", "ROLLBACK"))
_READS = frozenset(("SELECT", "VALUES", "GET", "MGET", "EXISTS", "TTL", "PTTL", "HGET", "HGETALL"))
_HANDSHAKE = frozenset(("STARTUP", "SSL", "GSS", "PASSWORD", "SYNC", "EMPTY"))
_IDLE = _HANDSHAKE | {"BEGIN", "SET", "SHOW", "RESET", "DEALLOCATE", "PREPARE", "DESCRIBE", "CLOSE"}


@dataclass(frozen=True, slots=True)
class Race:
    """`first` was delivered before `second`. rank: how likely it matters, 0 first; gap_us: how near it
    was."""

    first: str
    second: str
    rank: int
    gap_us: int


def find_races(
    deliveries: Sequence[Delivery], limit: int | None = None, *, is_fifo: bool = True
) -> list[Race]:
    """The racing pairs in the order in which they were completed; with a limit, the likeliest of them.

    is_fifo: messages were delivered in the order in which they were sent. It tells simultaneous causes apart;
    without it some pairs are named that are cause and effect.
    """
    causes = ancestors(deliveries, is_fifo=is_fifo)
    ends_us = {delivery.name: delivery.at_us for delivery in deliveries}
    by_receiver: dict[str, list[int]] = {}
    found: list[Race] = []
    for later, second in enumerate(deliveries):
        earlier = by_receiver.setdefault(second.name.receiver, [])
        for index in earlier:
            first = deliveries[index]
            if causes[later] >> index & 1 or _is_sequel(first, second, ends_us):
                continue
            rank = _rank(first, second)
            if rank is not None:
                gap_us = max(0, second.sent_us - first.at_us)
                found.append(Race(str(first.name), str(second.name), rank, gap_us))
        earlier.append(later)
    if limit is None or len(found) <= limit:
        return found
    likeliest = sorted(range(len(found)), key=lambda index: (found[index].rank, found[index].gap_us, index))
    return [found[index] for index in sorted(likeliest[:limit])]


def _is_sequel(first: Delivery, second: Delivery, ends_us: dict[MessageName, int]) -> bool:
    """Whether `second` was sent on the link of `first` after that exchange was over: the same connection,
    used again, as far as one can see. Causes show most of it; this is for timers (a worker that polls)."""
    if first.name.link != second.name.link or first.name.is_reply != second.name.is_reply:
        return False
    end_us = first.at_us if first.name.is_reply else ends_us.get(first.name.reply)
    return end_us is not None and second.sent_us > end_us


def _rank(first: Delivery, second: Delivery) -> int | None:
    """0: writes that conflict, and requests or callbacks that meet each other or an answer at a process; 1: reads
    that meet a write, answers of different nodes, and those of a store; 2: what hardly ever matters; None: no race.
    """
    if first.name.is_reply and second.name.is_reply:
        return 2 if first.name.link == second.name.link else 1
    if first.name.is_reply or second.name.is_reply:
        reply = first if first.name.is_reply else second
        return 0 if reply.protocol not in STORE_PROTOCOLS else 1 + changes_nothing(reply.name, reply.protocol)
    if first.protocol not in STORE_PROTOCOLS:
        return 0
    if _is_idle(first.name, first.protocol) or _is_idle(second.name, second.protocol):
        return None
    one, other = first.name.kind.split(), second.name.kind.split()
    if one[0] in _ENDS or other[0] in _ENDS:
        return 1
    if one[1:2] != other[1:2]:
        return None
    reads = _is_read(first.name) + _is_read(second.name)
    return (0, 1, 2)[reads] if first.protocol == "postgres" or reads < 2 else None


def changes_nothing(name: MessageName, protocol: str) -> bool:
    """Whether a message to a store only reads or prepares: of faults that strike there, few are special."""
    return protocol in STORE_PROTOCOLS and (_is_idle(name, protocol) or _is_read(name))


def _is_read(name: MessageName) -> bool:
    """Reads that lock no row."""
    verb, *words = name.kind.split()
    return verb in _READS and "FOR" not in words


def _is_idle(name: MessageName, protocol: str) -> bool:
    """Statements that touch no row. (`SET` is one of them in PostgreSQL, and a write in Redis.)"""
    return protocol == "postgres" and name.kind.split()[0] in _IDLE
