"""paychaos: deterministic concurrency and chaos tests for services, against a real PostgreSQL in virtual
time.

The whole of what a user's file needs: a `Target` made of `Process`es, a `@scenario` on it, and invariants
that hold `always` or `eventually`. Everything else is reached through the command line or the pytest plugin.
"""

from harness.fault import Fault, FaultKind, fault
from harness.invariant import Invariant, State, always, eventually, invariant
from harness.plan import Constraint, Plan
from harness.scenario import Limits, Scenario, scenario
from harness.target import Build, Dependency, Process, Target

__all__ = [
    "Build",
    "Constraint",
    "Dependency",
    "Fault",
    "FaultKind",
    "Invariant",
    "Limits",
    "Plan",
    "Process",
    "Scenario",
    "State",
    "Target",
    "always",
    "eventually",
    "fault",
    "invariant",
    "scenario",
]

__version__ = "0.1.0"
