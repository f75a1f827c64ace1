"""Causes: which deliveries of a run certainly came before which others, whatever the order.

They are read from virtual time. Application code takes none, so a message is sent at the very microsecond at which
the delivery that caused it came, or as much later as a new connection takes. A message that no such delivery explains
was sent by a timer. Then:

- A node that only asks, one question at a time (a worker's loop), is one thread: everything that it received before
  is a cause.
- A node that had sent nothing before it received something (a service) owes the timer to what it had received, as
  far as all of that has causes in common.
- Any other node may have started the timer by itself.
"""

from collections.abc import Sequence

from harness.history import Delivery
from harness.names import MessageName

Instant = tuple[str, int]
"""A node and a virtual time in microseconds."""

CONNECT_US = 1_000
"""What opening a connection takes: one way on a quiet link of the simulated network."""


def ancestors(deliveries: Sequence[Delivery], *, is_fifo: bool) -> list[int]:
    """Per delivery, the bit set of the indices of its certain causes.

    is_fifo: messages were delivered in the order in which they were sent. It tells simultaneous causes apart.
    Without it less is certain: simultaneous causes count only as far as they have causes in common, and timers have
    none.
    """
    return (_FifoCauses if is_fifo else _Causes)(deliveries).sets


class _Causes:
    """What is certain in any run."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self._arrived: dict[Instant, list[int]] = {}
        self._sent: dict[Instant, list[int]] = {}
        for index, delivery in enumerate(deliveries):
            self._arrived.setdefault((delivery.name.receiver, delivery.at_us), []).append(index)
            self._sent.setdefault(_sending(delivery), []).append(index)
        self.sets: list[int] = []
        requests: dict[MessageName, int] = {}
        for index, delivery in enumerate(deliveries):
            certain = self._of_sending(index, delivery)
            if delivery.name.is_reply:
                certain |= self._with_itself(requests.get(_request_of(delivery.name)))
            else:
                requests[delivery.name] = index
            self.sets.append(certain)
            self._received(delivery.name.receiver, index)

    def _of_sending(self, index: int, delivery: Delivery) -> int:
        """The common causes of what arrived at the sender when the message was sent."""
        arrived = self._arrived.get(_sending(delivery), [])
        return self._in_common([cause for cause in arrived if cause < index])

    def _received(self, node: str, index: int) -> None:
        """Takes note of an arrival, once its own causes are known."""

    def _with_itself(self, index: int | None) -> int:
        return 0 if index is None else self.sets[index] | 1 << index

    def _in_common(self, causes: Sequence[int]) -> int:
        if not causes:
            return 0
        common = self._with_itself(causes[0])
        for cause in causes[1:]:
            common &= self._with_itself(cause)
        return common


class _FifoCauses(_Causes):
    """What is certain in a FIFO run, timers included."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self._threads = _single_threads(deliveries)
        self._roots: dict[str, int] = {}
        self._latest: dict[str, int] = {}
        super().__init__(deliveries)

    def _of_sending(self, index: int, delivery: Delivery) -> int:
        node = delivery.name.sender
        if node in self._threads:
            return self._with_itself(self._latest.get(node))
        root = self._roots.setdefault(node, 0)
        causes = self._told_apart(index, delivery)
        return self._in_common(causes) if causes else root

    def _told_apart(self, index: int, delivery: Delivery) -> list[int]:
        """The n-th message that a node sends at one instant is due to the n-th that it received then, or one
        connection earlier."""
        now = _sending(delivery)
        before = now[0], now[1] - CONNECT_US
        instant = before if now not in self._arrived and before not in self._sent else now
        causes = [cause for cause in self._arrived.get(instant, []) if cause < index]
        together = self._sent[now]
        return [causes[together.index(index)]] if len(causes) == len(together) else causes

    def _received(self, node: str, index: int) -> None:
        own = self._with_itself(index)
        self._roots[node] = self._roots.get(node, own) & own
        self._latest[node] = index


def _single_threads(deliveries: Sequence[Delivery]) -> frozenset[str]:
    """The nodes that were asked nothing and never had two questions open."""
    asked = {delivery.name.receiver for delivery in deliveries if not delivery.name.is_reply}
    answered_us = {delivery.name: delivery.at_us for delivery in deliveries if delivery.name.is_reply}
    busy: set[str] = set()
    free_us: dict[str, int] = {}
    for delivery in sorted(deliveries, key=lambda item: item.sent_us):
        if delivery.name.is_reply:
            continue
        node = delivery.name.sender
        if delivery.sent_us < free_us.get(node, 0):
            busy.add(node)
        free_us[node] = answered_us.get(delivery.name.reply, delivery.at_us)
    return frozenset(free_us.keys() - asked - busy)


def _sending(delivery: Delivery) -> Instant:
    return delivery.name.sender, delivery.sent_us


def _request_of(reply: MessageName) -> MessageName:
    return MessageName(reply.source, reply.destination, reply.kind, reply.number)
