"""Plans in words: what a fault does and where, what a constraint says. For reports, stories and the pytest
plugin.
"""

from harness.errors import HarnessError, PaychaosError
from harness.fault import Fault, Value
from harness.plan import Constraint
from results.summary import FaultLine
from results.text import seconds


def fault_line(fault: Fault) -> FaultLine:
    """``lost reply`` at ``api>provider POST /v1/payment_intents#1.reply``; ``crash worker for 2.000 s`` at …"""
    words = [fault.kind.replace("_", " ")]
    words += [_parameter(name, fault.value(name)) for name in fault.definition.parameters]
    return FaultLine(" ".join(word for word in words if word), where(fault))


def where(fault: Fault) -> str:
    """The message or the moment that a fault is anchored to."""
    if fault.at.startswith("@"):
        return f"at {seconds(int(fault.at[1:]))} s"
    return fault.at


def constraint_line(constraint: Constraint) -> str:
    return f"{constraint.before} before {constraint.after}"


def in_one_line(error: PaychaosError) -> str:
    """The text of an error; of a bug of ours, what was raised, without its traceback."""
    text = str(error).strip()
    if not isinstance(error, HarnessError):
        return text
    return f"a bug of ours, {text.splitlines()[-1].strip()}"


def traceback_of(error: PaychaosError) -> str:
    """Where a bug of ours was raised, as far as it is known: in its text or in its notes."""
    return "\n".join([str(error).strip(), *getattr(error, "__notes__", [])])


def _parameter(name: str, value: Value) -> str:
    """A parameter as it reads after the fault's name; empty when it says nothing."""
    if value == "":
        return ""
    if name == "duration_us":
        return f"for {seconds(int(value))} s" if value else ""
    if name.endswith("_us"):
        return f"by {seconds(int(value))} s" if value else ""
    if name in ("node", "a", "link"):
        return str(value)
    if name == "b":
        return f"and {value}"
    return f"{name}={value}"
