"""The targets that ship with the project, and how each is wired up."""

from harness.target import Build, Dependency, Process, Target
from targets.provider_node import ProviderNode, fault_kinds

WEBHOOK_SECRET = "whsec_paychaos"

PROVIDER = Dependency(
    "provider",
    lambda host: ProviderNode(host, ["http://api/webhooks"], WEBHOOK_SECRET),
    faults=fault_kinds(),
    callback_kind="type",
)

CHECKOUT_ENV = {
    "DATABASE_URL": "{postgres}",
    "REDIS_URL": "{redis}",
    "STRIPE_API_BASE": "{provider}",
    "STRIPE_API_KEY": "sk_test_paychaos",
    "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
}


def _checkout_processes(package: str) -> list[Process]:
    return [
        Process("api", asgi=f"targets.checkout.{package}.api:app"),
        Process("worker", main=f"targets.checkout.{package}.worker:main"),
    ]


CHECKOUT = Target(
    "checkout",
    _checkout_processes("reference"),
    postgres="checkout/schema.sql",
    redis=True,
    env=CHECKOUT_ENV,
    dependencies=[PROVIDER],
    builds=[
        Build(
            "reference",
            "the checkout built right: every invariant must hold under every plan",
            _checkout_processes("reference"),
        ),
        Build(
            "staging",
            "the change under review: retries around the payment, finalisation by the worker on provider events",
            _checkout_processes("staging"),
        ),
    ],
)

TARGETS = [CHECKOUT]
