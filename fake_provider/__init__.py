"""A payment provider that speaks a subset of the Stripe API, keeps books, and misbehaves exactly when it is
told to.

`Provider` is the core, without I/O or a clock; `python -m fake_provider serve` puts it on a port.
"""

from fake_provider.actions import Action, Attempt, Deliver, Request, Respond, Response
from fake_provider.behaviours import MISBEHAVIOURS, Behaviour, Misbehaviour
from fake_provider.errors import BehaviourError, FakeProviderError, ProfileError
from fake_provider.profile import Profile
from fake_provider.provider import Provider

__all__ = [
    "MISBEHAVIOURS",
    "Action",
    "Attempt",
    "Behaviour",
    "BehaviourError",
    "Deliver",
    "FakeProviderError",
    "Misbehaviour",
    "Profile",
    "ProfileError",
    "Provider",
    "Request",
    "Respond",
    "Response",
]
