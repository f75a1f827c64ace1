"""The layers that a request goes through, in the order of the real provider.

    connection faults -> authentication (401) -> rate limit (429) -> parameters (400)
    -> idempotency (replay, 400, 409) -> object lock (429) -> execute -> store -> answer -> events

Each layer answers the call or hands it on. Misbehaviour on requests bites here, each at its own layer.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from fake_provider import answers, expand, fixtures
from fake_provider.account import Account
from fake_provider.actions import Request, Respond, Response
from fake_provider.api import undoing
from fake_provider.api.routes import Route, find_route
from fake_provider.behaviours import Script
from fake_provider.call import Call
from fake_provider.errors import ApiError
from fake_provider.form import parse_form
from fake_provider.idempotency import Entry, IdempotencyStore
from fake_provider.locks import Locks
from fake_provider.resource import Resource

SECOND_US = 1_000_000
MAX_KEY = 255
NEVER_US = 2**62


class Pipeline:
    """Takes requests to their answers. `respond` takes the `Respond` actions; `announce` sends the events that
    have piled up, given the time of the answer, and returns until when the answer is to be held back."""

    def __init__(
        self,
        account: Account,
        script: Script,
        respond: Callable[[Respond], None],
        announce: Callable[[int], int],
    ) -> None:
        self.account = account
        self.profile = account.profile
        self._script = script
        self._send = respond
        self._announce = announce
        self._keys = IdempotencyStore(account.profile)
        self._locks = Locks()
        self._recent: deque[int] = deque()
        self._payments: deque[tuple[int, tuple[Any, ...]]] = deque()

    def admit(self, request: Request) -> None:
        """From the connection to the validated call."""
        path, _, query = request.path.partition("?")
        call = Call(request, self.account.ids.new("req"), self.account.now_us, request.method, path)
        route, problem = self._identify(call, query)
        if self._script.watches_requests:
            call.fired = self._script.on_request(f"{call.method} {call.path}", call.entities())
        if "timeout_before" in call.fired or "drop_before" in call.fired:
            self._respond(call, None, self.account.now_us, drop="drop_before" in call.fired)
            return
        if "error_before" in call.fired:
            before = call.fired["error_before"]
            self._answer(call, answers.of_failure(before.parameter("status"), html=before.parameter("html")))
            return
        try:
            self._authenticate(call)
            self._limit(call)
            if problem is not None:
                raise problem
            if route is None:
                raise ApiError(
                    404,
                    f"Unrecognized request URL ({call.method}: {call.path}). Please see https://stripe.com/docs or "
                    "we can help at https://support.stripe.com/.",
                )
            call.params = route.spec.read(call.raw)
            if route.check is not None:
                route.check(self.account, call.params)
            if "expand" in call.raw:
                expand.check(call.raw["expand"])
            self._enter(call, route)
        except ApiError as error:
            self._answer(call, answers.of_error(error, call.request_id))

    def _identify(self, call: Call, query: str) -> tuple[Route | None, ApiError | None]:
        """Finds the route and reads the parameters; a problem with them is kept until its layer's turn has
        come."""
        found = find_route(call.method, call.path)
        route, call.object_id = found or (None, "")
        call.operation = route.operation if route else f"{call.method} {call.path}"
        try:
            call.raw = parse_form(query)
            if call.request.body and call.method != "GET":
                kind = call.header("content-type") or "application/x-www-form-urlencoded"
                if not kind.startswith("application/x-www-form-urlencoded"):
                    raise ApiError(
                        400,
                        "Invalid request (check that your POST content type is "
                        f"application/x-www-form-urlencoded). It is '{kind[:60]}'. If you have questions, we can "
                        "help at https://support.stripe.com/.",
                    )
                call.raw.update(parse_form(call.request.body))
        except ApiError as problem:
            return route, problem
        return route, None

    def _authenticate(self, call: Call) -> None:
        given = call.header("authorization") or ""
        scheme, _, token = given.partition(" ")
        if scheme.lower() == "basic":
            try:
                token = b64decode(token, validate=True).decode().partition(":")[0]
            except (Base64Error, UnicodeDecodeError):
                token = ""
        if not token:
            raise ApiError(
                401,
                "You did not provide an API key. You need to provide your API key in the Authorization header, "
                "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
                "https://stripe.com/docs/api#authentication for details, or we can help at "
                "https://support.stripe.com/.",
            )
        if not token.startswith(("sk_", "rk_")):
            raise ApiError(401, f"Invalid API Key provided: {token[:4]}{'*' * 8}{token[-4:]}")

    def _limit(self, call: Call) -> None:
        limited = call.fired.get("rate_limited")
        if limited:
            headers = {"Stripe-Rate-Limited-Reason": limited.parameter("reason")}
            if limited.parameter("should_retry"):
                headers["Stripe-Should-Retry"] = limited.parameter("should_retry")
            raise _too_many(headers)
        most = self.profile.rate_limit_per_s
        if most:
            recent, now_us = self._recent, self.account.now_us
            while recent and recent[0] <= now_us - SECOND_US:
                recent.popleft()
            if len(recent) >= most:
                raise _too_many({"Stripe-Rate-Limited-Reason": "global-rate"})
            recent.append(now_us)

    def _enter(self, call: Call, route: Route) -> None:
        """Idempotency: replay what was answered, refuse what clashes, claim what is new. Reads go straight on."""
        if call.method == "GET" and not call.fired:
            self._execute(call, route)
            return
        key = call.header("idempotency-key")
        if call.method == "POST" and key and self.profile.stored != "none":
            if len(key) > MAX_KEY:
                raise ApiError(
                    400,
                    f"Idempotency keys can have at most {MAX_KEY} characters; this one has {len(key)}.",
                    kind="idempotency_error",
                )
            call.scope = (call.header("stripe-account") or "", key)
        if call.scope is not None and self._known(call, route):
            return
        if call.method != "GET":
            call.locks = self._locks.names(self.account, call)
        self._lock(call, route, self.account.now_us)

    def _known(self, call: Call, route: Route) -> bool:
        """Whether the key settles the call already; if not, the key is claimed for it."""
        scope, now_us = call.scope, self.account.now_us
        assert scope is not None
        if "forget_key" in call.fired:
            self._keys.forget(scope)
        if "key_in_use" in call.fired:
            raise _in_use(scope[1])
        entry = self._keys.find(scope, now_us)
        if entry is None:
            self._keys.claim(scope, Entry(call.path, call.raw, now_us, NEVER_US, call.request_id))
            return False
        self._keys.check(entry, scope[1], call.path, call.raw)
        if entry.response is None or entry.ready_us > now_us:
            if self.profile.in_flight == "conflict":
                raise _in_use(scope[1])
            again_us = entry.ready_us if entry.ready_us < NEVER_US else now_us + SECOND_US
            self.account.timers.at(again_us, partial(self._reenter, call, route))
            return True
        self._answer(call, entry.response, replayed_from=entry.request_id)
        return True

    def _reenter(self, call: Call, route: Route) -> None:
        try:
            self._enter(call, route)
        except ApiError as error:
            self._answer(call, answers.of_error(error, call.request_id))

    def _lock(self, call: Call, route: Route, since_us: int) -> None:
        """Waits for locked objects, but not for ever; then executes, late if that was ordered."""
        now_us = self.account.now_us
        free_us = self._locks.free_us(call.locks, now_us)
        if "lock_timeout" in call.fired or free_us > since_us + self.profile.lock_wait_us:
            if call.scope is not None:
                self._keys.forget(call.scope)
            give_up_us = now_us if "lock_timeout" in call.fired else since_us + self.profile.lock_wait_us
            error = ApiError(
                429,
                "This object cannot be accessed right now because another API request or Stripe process is "
                "currently accessing it. If you see this error intermittently, retry the request.",
                code="lock_timeout",
                headers={"Stripe-Should-Retry": "true"},
            )
            self._answer(call, answers.of_error(error, call.request_id), at_us=give_up_us)
            return
        if free_us > now_us:
            self.account.timers.at(free_us, partial(self._lock, call, route, since_us))
            return
        late = call.fired.get("slow_execute")
        start_us = now_us + (late.parameter("delay_us") if late else 0)
        self._locks.hold(call.locks, start_us + self.profile.latency_us)
        if late:
            self.account.timers.at(start_us, partial(self._execute, call, route))
        else:
            self._execute(call, route)

    def _execute(self, call: Call, route: Route) -> None:
        """Does the work, stores the answer and gives it."""
        forward = call.fired.get("error_rolled_forward")
        if forward:
            self.account.after(forward.parameter("delay_us"), partial(self._run, call, route))
            response = answers.of_failure(forward.parameter("status"), stored=call.scope is not None)
        else:
            response, effect = self._run(call, route)
            back, after = call.fired.get("error_rolled_back"), call.fired.get("error_after")
            if back and effect is not None:
                self.account.after(back.parameter("delay_us"), partial(undoing.undo, self.account, effect))
            failed = back or after
            if failed:
                response = answers.of_failure(failed.parameter("status"), stored=call.scope is not None)
        slow = call.fired.get("slow_store")
        ready_us = self.account.now_us + self.profile.latency_us + (slow.parameter("delay_us") if slow else 0)
        if call.scope is not None:
            if "unstored" in call.fired:
                self._keys.forget(call.scope)
            else:
                self._keys.settle(call.scope, response, ready_us)
        hold_us = self._announce(self.account.now_us + self.profile.latency_us)
        self._answer(call, response, at_us=max(ready_us, hold_us))

    def _run(self, call: Call, route: Route) -> tuple[Response, Resource | None]:
        """The operation itself: its answer, and the object it worked on."""
        self.account.call = call
        try:
            if self.profile.fixtures and fixtures.is_sample(call.object_id):
                return answers.of_object(fixtures.sample(self.account, call)), None
            self._refuse_duplicate(call)
            effect = route.run(self.account, call)
            paths = call.raw.get("expand")
            return answers.of_object(expand.expand(self.account, effect, paths) if paths else effect), effect
        except ApiError as error:
            return answers.of_error(error, call.request_id), None
        finally:
            self.account.call = None

    def _refuse_duplicate(self, call: Call) -> None:
        """Without keys: refuses a payment that equals a recent one in all the members the profile names."""
        window_us, now_us = self.profile.duplicate_window_us, self.account.now_us
        if not window_us or call.operation not in ("POST /v1/payment_intents", "POST /v1/charges"):
            return
        members = tuple(_member(call.params, name) for name in self.profile.duplicate_members)
        while self._payments and self._payments[0][0] <= now_us - window_us:
            self._payments.popleft()
        if any(earlier == members for _, earlier in self._payments):
            raise ApiError(
                402, "Gateway Rejected: duplicate", kind="card_error", code="duplicate_transaction"
            )
        self._payments.append((now_us, members))

    def _answer(
        self, call: Call, response: Response, *, at_us: int | None = None, replayed_from: str | None = None
    ) -> None:
        """Gives an answer, unless something happens to it on its way."""
        fired = call.fired
        at_us = self.account.now_us + self.profile.latency_us if at_us is None else at_us
        if "slow" in fired:
            at_us += fired["slow"].parameter("delay_us")
        if "drop_after" in fired or "unstored" in fired:
            self._respond(call, None, at_us, drop=True)
        elif "timeout_after" in fired:
            self._respond(call, None, at_us)
        else:
            version = call.header("stripe-version") or self.profile.api_version
            cut = fired["truncated"].parameter("bytes") if "truncated" in fired else None
            self._respond(call, answers.dressed(response, call, version, replayed_from), at_us, cut=cut)

    def _respond(
        self, call: Call, response: Response | None, at_us: int, *, drop: bool = False, cut: int | None = None
    ) -> None:
        self._send(Respond(at_us, call.request.id or call.request_id, response, drop, cut, tuple(call.fired)))


def _too_many(headers: dict[str, str]) -> ApiError:
    return ApiError(
        429,
        "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
        code="rate_limit",
        headers=headers,
    )


def _in_use(key: str) -> ApiError:
    return ApiError(
        409,
        f"There is currently another in-progress request using this Idempotent Key ({key}). Please try again "
        "later.",
        kind="idempotency_error",
        code="idempotency_key_in_use",
    )


def _member(params: dict[str, Any], path: str) -> Any:
    value: Any = params
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
