"""What can go wrong, in two trees that never mix.

    FakeProviderError        a mistake of the person who set the provider up
    ├── ProfileError         a profile file is not a profile
    ├── BehaviourError       a scripted misbehaviour cannot be understood
    └── PortError            the standalone provider cannot listen where it is told to
    ApiError                 an answer that a client gets: a status and an error object

An `ApiError` is part of the provider's faithful behaviour, so operations raise it freely; it never leaves
`Provider`.
"""

from typing import Any

DOCS = "https://stripe.com/docs/error-codes/"


class FakeProviderError(Exception):
    """A set-up mistake; its text names the value, the rule and the remedy."""


class ProfileError(FakeProviderError):
    """A profile has an unknown or impossible setting."""


class BehaviourError(FakeProviderError):
    """A scripted misbehaviour has an unknown name, parameter or operation."""


class PortError(FakeProviderError):
    """The port to listen on cannot be had."""


class ApiError(Exception):
    """An error answer.

    status: the HTTP status. error: the members of the error object, `type` and `message` at least. headers:
    extra response headers, such as `Stripe-Should-Retry`.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.error: dict[str, Any] = {"type": kind, "message": message}
        if code is not None:
            self.error["code"] = code
            self.error["doc_url"] = DOCS + code.replace("_", "-")
        if param is not None:
            self.error["param"] = param
        self.error.update(more)


def missing_object(noun: str, object_id: str, param: str, status: int = 404) -> ApiError:
    """The answer for an id that names nothing: 404 when the id is in the path, 400 when it is a parameter."""
    return ApiError(status, f"No such {noun}: '{object_id}'", code="resource_missing", param=param)
