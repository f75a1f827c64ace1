"""The control API: `/_control`, JSON in and out. What it offers is documented in the package's README.

It is not part of the provider that is simulated: it needs no key and misbehaviour never hits it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from json import JSONDecodeError, loads
from typing import TYPE_CHECKING, Any

from fake_provider.actions import Request, Respond, Response
from fake_provider.answers import of_error
from fake_provider.behaviours import MISBEHAVIOURS, Behaviour
from fake_provider.controls import CONTROLS
from fake_provider.errors import ApiError, BehaviourError
from fake_provider.resource import encode
from fake_provider.server.connection import Connection

if TYPE_CHECKING:
    from fake_provider.server.service import Service

MAX_ADVANCE_S = 366 * 86_400
Answer = Response | dict[str, Any]


class Control:
    """Answers control requests on behalf of a service."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._tasks: set[asyncio.Task[None]] = set()
        self._routes: dict[tuple[str, str], Callable[[dict[str, Any]], Answer | Awaitable[Answer]]] = {
            ("GET", ""): self._index,
            ("GET", "faults"): self._faults,
            ("GET", "behaviours"): self._behaviours,
            ("POST", "behaviours"): self._behave,
            ("DELETE", "behaviours"): self._behave_well,
            ("GET", "ledger"): self._ledger,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._advance,
            ("POST", "release"): self._release,
            ("POST", "resend"): self._resend,
            ("POST", "reset"): self._reset,
        }

    def handle(self, connection: Connection, request: Request) -> None:
        """Answers one request, at once or, for the clock, when time has passed."""
        task = asyncio.get_running_loop().create_task(self._respond(connection, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _respond(self, connection: Connection, request: Request) -> None:
        try:
            answer = await self._answer(request)
        except ApiError as error:
            answer = of_error(error, "control")
        except BehaviourError as error:
            answer = of_error(ApiError(400, str(error)), "control")
        response = (
            answer if isinstance(answer, Response) else Response(200, {}, encode(answer).encode() + b"\n")
        )
        connection.respond(Respond(self._service.clock.now_us(), "control", response))

    async def _answer(self, request: Request) -> Answer:
        path, _, query = request.path.partition("?")
        name, _, rest = path.removeprefix("/_control").strip("/").partition("/")
        if request.method == "GET" and rest and name in ("authenticate", "pay"):
            return self._page(name, rest, query)
        params = _params(request)
        route = self._routes.get((request.method, name)) if not rest else None
        if route is not None:
            answer = route(params)
            return answer if isinstance(answer, Response | dict) else await answer
        if request.method == "POST" and name in CONTROLS and not rest:
            return self._run(name, params)
        raise ApiError(404, f"No control {request.method} {path}. GET /_control lists them all.")

    def _run(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        effect, actions = self._service.provider.control(name, params, self._service.clock.now_us())
        self._service.carry_out(actions)
        return effect

    def _page(self, name: str, object_id: str, query: str) -> Response:
        """The page a customer would see: it is filled in at once (`?outcome=failed`), then leads back to the shop."""
        param = "payment_intent" if name == "authenticate" else "session"
        params = {param: object_id, **dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair)}
        shelf = "intents" if name == "authenticate" else "sessions"
        shown = getattr(self._service.provider.account, shelf).find(object_id)
        if name == "authenticate":
            target = ((shown["next_action"] or {}).get("redirect_to_url") or {}).get("return_url")
        else:
            target = shown["success_url"]
        effect = self._run(name, params)
        if not target:
            return Response(200, {}, encode(effect).encode() + b"\n")
        return Response(303, {"Location": target.replace("{CHECKOUT_SESSION_ID}", object_id)}, b"")

    # What each control does.

    def _index(self, _: dict[str, Any]) -> Answer:
        routes = [f"{method} /_control/{name}".rstrip("/") for method, name in self._routes]
        return {"controls": routes + [f"POST /_control/{name}" for name in CONTROLS]}

    def _faults(self, _: dict[str, Any]) -> Answer:
        return {
            "faults": [
                {
                    "name": known.name,
                    "on": known.on,
                    "meaning": known.meaning,
                    "parameters": {**known.parameters, "count": 1},
                }
                for known in MISBEHAVIOURS.values()
            ]
        }

    def _behaviours(self, _: dict[str, Any]) -> Answer:
        listed = self._service.provider.behaviours()
        return {"behaviours": [{**behaviour.to_json(), "fired": fired} for behaviour, fired in listed]}

    def _behave(self, params: dict[str, Any]) -> Answer:
        behaviour = Behaviour.from_json(params)
        self._service.provider.behave(behaviour)
        return behaviour.to_json()

    def _behave_well(self, _: dict[str, Any]) -> Answer:
        self._service.provider.behave_well()
        return {"behaviours": []}

    def _ledger(self, _: dict[str, Any]) -> Answer:
        return {"ledger": self._service.provider.export()}

    def _clock(self, _: dict[str, Any]) -> Answer:
        return {"now_us": self._service.clock.now_us()}

    async def _advance(self, params: dict[str, Any]) -> Answer:
        by_s = params.get("advance_s")
        if isinstance(by_s, bool) or not isinstance(by_s, int | float) or not 0 <= by_s <= MAX_ADVANCE_S:
            raise ApiError(
                400, f"'advance_s' is {by_s!r}; it must be a number of seconds from 0 to {MAX_ADVANCE_S}."
            )
        await self._service.advance(round(by_s * 1_000_000))
        return self._clock(params)

    def _release(self, _: dict[str, Any]) -> Answer:
        actions = self._service.provider.release(self._service.clock.now_us())
        self._service.carry_out(actions)
        return {"released": len(actions)}

    def _resend(self, params: dict[str, Any]) -> Answer:
        event = params.get("event")
        if not isinstance(event, str) or event not in self._service.provider.account.events:
            raise ApiError(404, f"No such event: {event!r}. GET /v1/events lists them.")
        actions = self._service.provider.resend(event, self._service.clock.now_us())
        self._service.carry_out(actions)
        return {"resent": len(actions)}

    def _reset(self, _: dict[str, Any]) -> Answer:
        self._service.reset()
        return {"reset": True}


def _params(request: Request) -> dict[str, Any]:
    """The JSON object in a control request's body; an empty body is an empty object."""
    if not request.body.strip():
        return {}
    try:
        params = loads(request.body)
    except (JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise ApiError(
            400, "The body of a control request must be a JSON object; this one is not JSON."
        ) from None
    if not isinstance(params, dict):
        raise ApiError(400, "The body of a control request must be a JSON object.")
    return params
