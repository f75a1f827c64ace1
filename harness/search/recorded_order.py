"""Recorded orders as constraints: what makes a FIFO run follow the order of another run.

Seeds and step numbers do not shrink; constraints between named messages do.
"""

from collections.abc import Sequence

from harness.history import Delivery
from harness.plan import MAX_CONSTRAINTS, Constraint
from harness.search.races import Race, find_races


def differences(recorded: Sequence[Delivery], fifo: Sequence[Delivery]) -> tuple[Constraint, ...]:
    """The racing pairs that the recorded order turned round, seen from the FIFO run of the same faults.

    A message that only the recorded run knows is compared with the order in which the messages were sent.
    """
    fifo_place = {str(delivery.name): index for index, delivery in enumerate(fifo)}
    sent_us = {str(delivery.name): delivery.sent_us for delivery in recorded}

    def is_turned(race: Race) -> bool:
        place = fifo_place if race.first in fifo_place and race.second in fifo_place else sent_us
        return place[race.first] > place[race.second]

    found = [race for race in find_races(recorded, is_fifo=False) if is_turned(race)]
    if len(found) > MAX_CONSTRAINTS:
        found = sorted(found, key=lambda race: (race.rank, race.gap_us))[:MAX_CONSTRAINTS]
    return tuple(Constraint(race.first, race.second) for race in found)


def full_order(recorded: Sequence[Delivery]) -> tuple[Constraint, ...]:
    """Each message after the one that the same node got before it: the whole order, for when less will not
    do."""
    last: dict[str, str] = {}
    chain = []
    for delivery in recorded:
        name, receiver = str(delivery.name), delivery.name.receiver
        if receiver in last:
            chain.append(Constraint(last[receiver], name))
        last[receiver] = name
    return tuple(chain[:MAX_CONSTRAINTS])


def follows(deliveries: Sequence[Delivery], constraints: Sequence[Constraint]) -> bool:
    """Whether a run delivered every `before` ahead of its `after`."""
    place = {str(delivery.name): index for index, delivery in enumerate(deliveries)}
    return all(
        item.before in place and item.after in place and place[item.before] < place[item.after]
        for item in constraints
    )
