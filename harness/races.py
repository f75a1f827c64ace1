"""Racing pairs: which messages of a run could have come in the other order, and where that could matter.

Two messages race when they go to the same node, neither is a cause of the other, and the node is one where
the order can be seen: any process, or a store where both touch the same table or key (or one ends a
transaction).

Causes are read from virtual time: application code takes none, so a message is sent at the very microsecond
at which the delivery that caused it came, or as much later as a new connection takes. A message that no
delivery explains was sent by a timer; a node that had sent nothing before it received something owes that
timer to what it had received.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.history import Delivery
from harness.names import MessageName

Instant = tuple[str, int]
"""A node and a virtual time in microseconds."""

CONNECT_US = 1_000
"""What opening a connection takes: one way on a quiet link of the simulated network."""

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
    ancestors = _ancestors(deliveries, is_fifo)
    ends_us = {delivery.name: delivery.at_us for delivery in deliveries}
    by_receiver: dict[str, list[int]] = {}
    found: list[Race] = []
    for later, second in enumerate(deliveries):
        earlier = by_receiver.setdefault(second.name.receiver, [])
        for index in earlier:
            first = deliveries[index]
            if ancestors[later] >> index & 1 or _is_sequel(first, second, ends_us):
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


def _ancestors(deliveries: Sequence[Delivery], is_fifo: bool) -> list[int]:
    """Per delivery, the bit set of the deliveries that certainly came before it in every order.

    Where several deliveries could be the cause, only what they all have in common is certain.
    """
    requests = {item.name: index for index, item in enumerate(deliveries) if not item.name.is_reply}
    arrived, sent = _by_instant(deliveries)
    sets: list[int] = []
    roots: dict[str, int] = {}
    for index, delivery in enumerate(deliveries):
        causes = [cause for cause in arrived.get(_sending(delivery), []) if cause < index]
        if is_fifo:
            causes = _told_apart(index, delivery, arrived, sent)
        root = roots.setdefault(delivery.name.sender, 0) if is_fifo else 0
        common = _in_all([sets[cause] | 1 << cause for cause in causes]) if causes else root
        request = requests.get(_request_of(delivery.name)) if delivery.name.is_reply else None
        if request is not None and request < index:
            common |= sets[request] | 1 << request
        sets.append(common)
        receiver, own = delivery.name.receiver, common | 1 << index
        roots[receiver] = roots.get(receiver, own) & own
    return sets


def _told_apart(
    index: int, delivery: Delivery, arrived: dict[Instant, list[int]], sent: dict[Instant, list[int]]
) -> list[int]:
    """The possible causes of a message in a FIFO run: the n-th that a node sends at one instant is due to the n-th
    that it received then, or one connection earlier."""
    now = _sending(delivery)
    before = now[0], now[1] - CONNECT_US
    instant = before if now not in arrived and before not in sent else now
    causes = [cause for cause in arrived.get(instant, []) if cause < index]
    together = sent[now]
    return [causes[together.index(index)]] if len(causes) == len(together) else causes


def _sending(delivery: Delivery) -> Instant:
    return delivery.name.sender, delivery.sent_us


def _by_instant(deliveries: Sequence[Delivery]) -> tuple[dict[Instant, list[int]], dict[Instant, list[int]]]:
    """What arrived at a node at one instant, and what the node sent at one."""
    arrived: dict[Instant, list[int]] = {}
    sent: dict[Instant, list[int]] = {}
    for index, delivery in enumerate(deliveries):
        arrived.setdefault((delivery.name.receiver, delivery.at_us), []).append(index)
        sent.setdefault(_sending(delivery), []).append(index)
    return arrived, sent


def _in_all(masks: Sequence[int]) -> int:
    common = masks[0] if masks else 0
    for mask in masks[1:]:
        common &= mask
    return common


def _request_of(reply: MessageName) -> MessageName:
    return MessageName(reply.source, reply.destination, reply.kind, reply.number)


def _is_sequel(first: Delivery, second: Delivery, ends_us: dict[MessageName, int]) -> bool:
    """Whether `second` was sent on the link of `first` after that exchange was over: the same connection,
    used again, as far as one can see. Causes show most of it; this is for timers (a worker that polls)."""
    if first.name.link != second.name.link or first.name.is_reply != second.name.is_reply:
        return False
    end_us = first.at_us if first.name.is_reply else ends_us.get(first.name.reply)
    return end_us is not None and second.sent_us > end_us


def _rank(first: Delivery, second: Delivery) -> int | None:
    """0: writes that conflict, and requests or callbacks that meet an answer or each other at a process;
    1: reads that meet a write, and answers from different nodes; 2: what hardly ever matters; None: no
    race."""
    if first.name.is_reply and second.name.is_reply:
        return 2 if first.name.link == second.name.link else 1
    if first.name.is_reply or second.name.is_reply:
        reply = first if first.name.is_reply else second
        return 2 if changes_nothing(reply.name, reply.protocol) else 0
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
