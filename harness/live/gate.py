"""The gate: all links of a live world, and the run whose messages they name, hold and strike right now."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from harness.errors import InfrastructureError
from harness.live.link import Link, Upstreams
from harness.live.toxiproxy import Toxiproxy
from harness.live.traffic import Traffic

if TYPE_CHECKING:
    from harness.live.injector import LiveInjector


class Gate:
    """Links stay over runs, with their connections; `traffic` and `injector` are those of the run at hand.

    turns: how many connections each service has got; its instances take them in turn, whoever calls.
    backends: the node whose session each PostgreSQL server process serves, as the start-up answers tell.
    """

    def __init__(
        self, toxiproxy: Toxiproxy, nursery: trio.Nursery, traffic: Traffic, injector: LiveInjector
    ) -> None:
        self.toxiproxy = toxiproxy
        self.nursery = nursery
        self.traffic = traffic
        self.injector = injector
        self.links: dict[tuple[str, str], Link] = {}
        self.closed_services: set[str] = set()
        self.backends: dict[int, str] = {}
        self.turns: dict[str, int] = {}

    def link(
        self,
        source: str,
        source_service: str,
        destination: str,
        protocol: str,
        upstreams: Upstreams,
        callback_kind: str | None = None,
    ) -> Link:
        """The open link between two nodes; made when it is asked for the first time."""
        key = (source, destination)
        if key not in self.links:
            self.links[key] = Link(
                self, source, source_service, destination, protocol, upstreams, callback_kind
            )
            self.links[key].open()
        return self.links[key]

    def forget(self, source: str) -> None:
        """Takes away the links of a node that does not exist any more."""
        for key in [key for key in self.links if key[0] == source]:
            link = self.links.pop(key)
            link.close()
            link.sever()
            link.delete_proxies()

    def to(self, service: str) -> list[Link]:
        return [link for link in self.links.values() if link.destination == service]

    def close_to(self, service: str, *, sever: bool) -> None:
        """Nobody can connect to a service any more; with `sever`, existing connections break too."""
        self.closed_services.add(service)
        for link in self.to(service):
            link.close()
            if sever:
                link.sever()

    def open_to(self, service: str) -> None:
        """The opposite of `close_to`."""
        self.closed_services.discard(service)
        for link in self.to(service):
            link.open()

    def unanswered(self) -> int:
        """HTTP requests that still lack their answer, on connections that may yet bring it."""
        return sum(
            len(connection.pending)
            for link in self.links.values()
            if link.protocol == "http"
            for connection in link.connections
            if not connection.is_silent
        )

    def is_busy(self) -> bool:
        """Whether a message is on its way or lacks its answer; a store's blocking read counts, too."""
        return bool(self.traffic.on_the_way) or any(
            connection.pending for link in self.links.values() for connection in link.connections
        )

    def later(self, delay_us: int, action: Callable[[], object]) -> None:
        """Does something after a while, unless the gate is gone by then."""

        async def wait() -> None:
            await trio.sleep(delay_us / 1e6)
            action()

        self.nursery.start_soon(wait)

    def heal(self) -> None:
        self.traffic.order.release_all()
        for link in self.links.values():
            link.heal()

    def close(self) -> None:
        for link in self.links.values():
            link.close()
        # A Toxiproxy that is gone keeps no proxies.
        with suppress(InfrastructureError):
            for link in self.links.values():
                link.delete_proxies()
