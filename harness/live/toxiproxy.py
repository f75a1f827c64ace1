"""The one door to toxiproxy-python: proxies and toxics on one Toxiproxy server, every call bounded and read back.

The library (0.1.1) keeps the server's address on a class, sets no time-outs, honours HTTP_PROXY, and takes a 500 for
a success. Here each server has a class of its own, and what was set is compared with what the server says it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from harness.errors import HarnessError, InfrastructureError
from harness.live.toxic import Toxic

OLDEST = (2, 9)
CALL_S = 5.0
_OPTIONS: dict[str, Any] = {"timeout": CALL_S, "proxies": {"http": "", "https": ""}}
"""An empty proxy beats the one of the environment."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy: what comes in at `port` goes to `upstream` (``127.0.0.1:5432``)."""

    name: str
    host: str
    port: int
    upstream: str


class Toxiproxy:
    """The administrator of one running server. Every method raises InfrastructureError when the server is gone."""

    def __init__(self, host: str, port: int) -> None:
        self.address = f"{host}:{port}"
        self._host = host
        self._api: type[APIConsumer] = type("Api", (APIConsumer,), {"host": host, "port": port})

    def version(self) -> str:
        """``2.12.0``, or ``git`` when it was built without one. Raises InfrastructureError when it is too old."""
        answer = self._call(self._api.get, "/version")
        text = answer.text.strip()
        found = re.search(r"\d+\.\d+\.\d+|git", text)
        if found is None:
            raise InfrastructureError(
                f"{self.address} is no Toxiproxy: /version answers {text[:60]!r}; name another port."
            )
        if found[0] != "git" and tuple(map(int, found[0].split(".")[:2])) < OLDEST:
            raise InfrastructureError(
                f"Toxiproxy at {self.address} is {found[0]}; at least {OLDEST[0]}.{OLDEST[1]} is needed."
                " `paychaos doctor` shows how to get it."
            )
        return found[0]

    def is_running(self) -> bool:
        try:
            self._call(self._api.get, "/version")
        except InfrastructureError:
            return False
        return True

    # Proxies

    def create(self, name: str, upstream: str) -> Proxy:
        """A proxy on a free port of the server's host, without toxics, enabled."""
        document = {"name": name, "upstream": upstream, "listen": f"{self._host}:0", "enabled": True}
        made = self._call(self._api.post, "/proxies", json=document).json()
        host, _, port = str(made["listen"]).rpartition(":")
        return Proxy(name, host.strip("[]"), int(port), upstream)

    def delete(self, proxy: Proxy) -> None:
        """Ends its connections and stops listening. One that is gone already is fine."""
        try:
            self._call(self._api.delete, _path(proxy))
        except NotFound:
            return

    def names(self) -> list[str]:
        return sorted(self._call(self._api.get, "/proxies").json())

    # Toxics

    def add(self, proxy: Proxy, toxic: Toxic) -> None:
        """Sets a toxic, on existing connections too, and proves that the server has it as it was meant."""
        wanted = toxic.to_json()
        self._call(self._api.post, f"{_path(proxy)}/toxics", json=wanted)
        has = self._call(self._api.get, f"{_path(proxy)}/toxics/{toxic.name}").json()
        if any(has.get(key) != value for key, value in wanted.items()):
            raise HarnessError(f"Toxiproxy was told {wanted} on {proxy.name!r} and has {has}.")

    def remove(self, proxy: Proxy, toxic: Toxic) -> None:
        """Takes a toxic off; removing `timeout` closes the connections that it held."""
        try:
            self._call(self._api.delete, f"{_path(proxy)}/toxics/{toxic.name}")
        except NotFound:
            return

    def toxics(self, proxy: Proxy) -> list[str]:
        return [str(toxic["name"]) for toxic in self._call(self._api.get, f"{_path(proxy)}/toxics").json()]

    def clear(self, proxy: Proxy) -> None:
        """Takes every toxic off."""
        for name in self.toxics(proxy):
            self._call(self._api.delete, f"{_path(proxy)}/toxics/{name}")

    def _call(self, method: Callable[..., Any], path: str, **arguments: Any) -> requests.Response:
        """Raises NotFound as the library does; everything else that is no success is an error of ours."""
        try:
            answer: requests.Response = method(path, **arguments, **_OPTIONS)
        except requests.RequestException as error:
            raise InfrastructureError(
                f"Toxiproxy at {self.address} does not answer ({type(error).__name__}); it died or its port was taken."
                " Start it again: `paychaos doctor` says how."
            ) from error
        except (InvalidToxic, ProxyExists) as error:
            raise HarnessError(f"Toxiproxy refuses {path} {arguments}: {error.args[0]!r}.") from error
        if answer.status_code >= 300:
            raise InfrastructureError(
                f"Toxiproxy at {self.address} answers {answer.status_code} to {path}: {answer.text.strip()[:200]}."
                " Start it again: `paychaos doctor` says how."
            )
        return answer


def _path(proxy: Proxy) -> str:
    return f"/proxies/{quote(proxy.name, safe='')}"
