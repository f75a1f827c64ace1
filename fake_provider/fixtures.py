"""Samples for ids such as `pi_xxxxxxxxxxxxx`, which the SDKs' own generated tests and copied examples send.

They are answered from an object of the right shape; nothing is stored and nothing happens.
"""

import re
from typing import Any

from fake_provider.account import Account
from fake_provider.api import charging, customers, intent_shape, payment_methods, refunding
from fake_provider.call import Call
from fake_provider.errors import missing_object
from fake_provider.resource import Resource

_SAMPLE = re.compile(r"_x{10,}$")
_TEMPLATES: dict[str, dict[str, Any]] = {
    "payment_intents": {
        **intent_shape.TEMPLATE,
        "amount": 2000,
        "currency": "usd",
        "client_secret": "pi_xxxxxxxxxxxxx_secret_x",
    },
    "charges": {
        **charging.TEMPLATE,
        "amount": 2000,
        "currency": "usd",
        "paid": True,
        "payment_method_details": None,
    },
    "refunds": {**refunding.TEMPLATE, "amount": 2000, "currency": "usd"},
    "customers": customers.TEMPLATE,
    "payment_methods": {**payment_methods.TEMPLATE, "card": None},
}
_STATUSES = {"confirm": "succeeded", "capture": "succeeded", "cancel": "canceled"}


def is_sample(object_id: str) -> bool:
    """Whether an id is one of a copied example."""
    return object_id.endswith("x") and _SAMPLE.search(object_id) is not None


def sample(account: Account, call: Call) -> Resource:
    """What an operation on a sample id answers; raises the 404 answer for nouns without a sample."""
    noun = call.path.split("/")[2]
    template = _TEMPLATES.get(noun)
    if template is None:
        raise missing_object(noun.removesuffix("s"), call.object_id, "id")
    if call.method == "DELETE":
        return Resource({"id": call.object_id, "object": template["object"], "deleted": True})
    verb = call.path.rsplit("/", 1)[1]
    changes = {"status": _STATUSES[verb]} if noun == "payment_intents" and verb in _STATUSES else {}
    return Resource(
        {
            **template,
            "id": call.object_id,
            "created": account.now_s,
            "metadata": call.params.get("metadata") or {},
            **changes,
        }
    )
