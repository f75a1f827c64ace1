"""Webhook endpoints: where callbacks go and the secrets they are signed with."""

from typing import Any
from urllib.parse import urlsplit

from fake_provider.account import Account
from fake_provider.call import Call
from fake_provider.errors import ApiError
from fake_provider.parameters import Spec, boolean, merge_metadata, metadata, text, texts
from fake_provider.resource import Resource

CREATE = Spec(
    "url",
    "enabled_events",
    url=text,
    enabled_events=texts,
    description=text,
    metadata=metadata,
    api_version=text,
)
UPDATE = Spec(url=text, enabled_events=texts, description=text, metadata=metadata, disabled=boolean)


def create(account: Account, call: Call) -> Resource:
    """POST /v1/webhook_endpoints; the only answer that shows the secret."""
    params = call.params
    endpoint = add(account, params["url"], params["enabled_events"], f"whsec_{account.ids.secret()}")
    endpoint.change(
        description=params.get("description"),
        metadata=merge_metadata({}, params.get("metadata")),
        api_version=params.get("api_version"),
    )
    return Resource({**endpoint, "secret": account.secrets[endpoint["id"]][0][0]})


def add(account: Account, url: str, enabled_events: list[str], secret: str) -> Resource:
    """A new enabled endpoint. Raises the 400 answer when `url` is no HTTP address."""
    _check_url(url)
    endpoint = account.endpoints.put(
        Resource(
            {
                "id": account.ids.new("we"),
                "object": "webhook_endpoint",
                "api_version": None,
                "application": None,
                "created": account.now_s,
                "description": None,
                "enabled_events": enabled_events,
                "livemode": False,
                "metadata": {},
                "status": "enabled",
                "url": url,
            }
        )
    )
    account.secrets[endpoint["id"]] = [(secret, None)]
    return endpoint


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 80) > 0
    except ValueError:
        valid = False
    if not valid or not url.isascii() or not url.isprintable() or " " in url:
        raise ApiError(
            400,
            "Invalid URL: URL must be an absolute http or https address.",
            code="url_invalid",
            param="url",
        )


def retrieve(account: Account, call: Call) -> Resource:
    """GET /v1/webhook_endpoints/{id}."""
    return account.endpoints.find(call.object_id)


def update(account: Account, call: Call) -> Resource:
    """POST /v1/webhook_endpoints/{id}; `disabled` stops retries until it is enabled again."""
    endpoint, params = account.endpoints.find(call.object_id), call.params
    changes: dict[str, Any] = {
        name: params[name] for name in ("url", "enabled_events", "description") if params.get(name)
    }
    if "url" in changes:
        _check_url(changes["url"])
    if params.get("disabled") is not None:
        changes["status"] = "disabled" if params["disabled"] else "enabled"
    endpoint.change(**changes, metadata=merge_metadata(endpoint["metadata"], params.get("metadata")))
    return endpoint


def delete(account: Account, call: Call) -> Resource:
    """DELETE /v1/webhook_endpoints/{id}: nothing is delivered there any more."""
    endpoint = account.endpoints.find(call.object_id)
    del account.endpoints[endpoint["id"]]
    del account.secrets[endpoint["id"]]
    return Resource({"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True})


def roll_secret(account: Account, endpoint: Resource, keeps_s: int | None = None) -> Resource:
    """A new secret; the old one signs along for `keeps_s`, or as long as the profile says, which is also the most."""
    longest_us = account.profile.secret_roll_us
    keeps_us = longest_us if keeps_s is None else min(keeps_s * 1_000_000, longest_us)
    fresh = f"whsec_{account.ids.secret()}"
    rolled = [
        (secret, account.now_us + keeps_us if expires_us is None else expires_us)
        for secret, expires_us in account.secrets[endpoint["id"]]
    ]
    account.secrets[endpoint["id"]] = [(fresh, None), *rolled]
    return Resource({**endpoint, "secret": fresh})


def live_secrets(account: Account, endpoint_id: str) -> list[str]:
    """The secrets that sign now, newest first."""
    return [
        secret
        for secret, expires_us in account.secrets.get(endpoint_id, ())
        if expires_us is None or account.now_us < expires_us
    ]
