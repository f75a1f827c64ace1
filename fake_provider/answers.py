"""HTTP answers: bodies of objects and errors, and the headers every answer carries."""

from typing import Any

from fake_provider.actions import Response
from fake_provider.call import Call
from fake_provider.errors import ApiError
from fake_provider.resource import Resource, encode

REPLAYED = "Idempotent-Replayed"
BAD_GATEWAY = b"<html><head><title>%d</title></head><body><center><h1>%d</h1></center></body></html>"


def of_object(shown: Resource | dict[str, Any]) -> Response:
    """200 with an object; headers come later."""
    return Response(200, {}, (shown.text() if isinstance(shown, Resource) else encode(shown)).encode())


def of_error(error: ApiError, request_id: str) -> Response:
    """The error object of a refused request."""
    members = {**error.error, "request_log_url": f"https://dashboard.stripe.com/test/logs/{request_id}"}
    return Response(error.status, dict(error.headers), encode({"error": members}).encode())


def of_failure(status: int, *, stored: bool = False, html: bool = False) -> Response:
    """A 5xx. One that is stored says that retrying it is useless; one of a proxy before the provider is HTML."""
    if html:
        return Response(status, {"Content-Type": "text/html"}, BAD_GATEWAY % (status, status))
    error = {
        "type": "api_error",
        "message": "An unknown error occurred. Please contact support if this persists.",
    }
    return Response(
        status, {"Stripe-Should-Retry": "false"} if stored else {}, encode({"error": error}).encode()
    )


def dressed(response: Response, call: Call, version: str, replayed_from: str | None = None) -> Response:
    """The response with the headers of this call; a replay names the request that it repeats."""
    headers = {
        "Content-Type": "application/json",
        "Request-Id": call.request_id,
        "Stripe-Version": version,
        **response.headers,
    }
    if call.key is not None:
        headers["Idempotency-Key"] = call.key
        headers["Original-Request"] = replayed_from or call.request_id
    if replayed_from is not None:
        headers[REPLAYED] = "true"
    return Response(response.status, headers, response.body)
