"""Boundaries and causes: what a fault or a plan is about, once the numbers are left out.

Two failures with one cause are one finding, whichever customer or occurrence showed it; and coverage counts
where faults struck, not which of the hundred messages of a kind it was.
"""

import hashlib
import re

from harness.fault import Fault
from harness.names import is_name, parse_name
from harness.plan import Plan

PLACES = ("node", "a", "b", "link", "keys")
"""The fault parameters that say where, not how much."""


def signature_of(scenario: str, invariant: str, plan: Plan) -> str:
    """16 hex digits over the scenario, the invariant and the kinds of what the plan does, without numbers."""
    parts = [scenario, invariant, *cause_of(plan)]
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()


def cause_of(plan: Plan) -> tuple[str, ...]:
    """What a plan does, without numbers: ``lost_reply api>provider POST /v1/payment_intents.reply``."""
    faults = sorted(f"{fault.kind} {boundary_of(fault)}" for fault in plan.faults)
    constraints = sorted(
        f"{_without_number(item.before)} before {_without_number(item.after)}" for item in plan.constraints
    )
    return (*faults, *constraints)


def boundary_of(fault: Fault) -> str:
    """Where a fault strikes: the message's kind without numbers, and the node or nodes that it names."""
    nodes = " ".join(str(value) for name, value in fault.parameters if name in PLACES)
    place = _without_number(fault.at) if is_name(fault.at) else _place_of_moment(fault.at)
    return f"{place} {nodes}".strip() if nodes else place


def _place_of_moment(at: str) -> str:
    return "any moment" if at.startswith("@") else at


def _without_number(text: str) -> str:
    name = parse_name(text)
    link = re.sub(r"-\d+\b", "", name.link)
    return f"{link} {name.kind}{'.reply' if name.is_reply else ''}"
