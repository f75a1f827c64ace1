"""The door to Toxiproxy against a real server: what is set is there, and every way to fail has one clear message."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from harness.errors import HarnessError, InfrastructureError
from harness.live import toxic
from harness.live.ports import free_port
from harness.live.toxiproxy import Proxy, Toxiproxy


@pytest.fixture
def proxy(toxiproxy: Toxiproxy) -> Iterator[Proxy]:
    made = toxiproxy.create("api>postgres.1", "127.0.0.1:9")
    yield made
    toxiproxy.delete(made)


def test_the_server_tells_its_version(toxiproxy: Toxiproxy) -> None:
    assert toxiproxy.version().startswith("2.")


def test_a_toxic_is_there_once_it_was_added_and_gone_once_removed(toxiproxy: Toxiproxy, proxy: Proxy) -> None:
    late = toxic.latency("upstream", 250_000)
    toxiproxy.add(proxy, late)
    assert toxiproxy.toxics(proxy) == ["latency_upstream_250"]
    toxiproxy.remove(proxy, late)
    assert toxiproxy.toxics(proxy) == []


def test_clearing_takes_every_toxic_off(toxiproxy: Toxiproxy, proxy: Proxy) -> None:
    toxiproxy.add(proxy, toxic.latency("upstream", 250_000))
    toxiproxy.add(proxy, toxic.swallow("downstream"))
    toxiproxy.clear(proxy)
    assert toxiproxy.toxics(proxy) == []


def test_removing_what_is_not_there_does_nothing(toxiproxy: Toxiproxy, proxy: Proxy) -> None:
    toxiproxy.remove(proxy, toxic.latency("upstream", 1_000))
    toxiproxy.delete(Proxy("nobody", "127.0.0.1", 1, "127.0.0.1:9"))


def test_a_name_that_is_taken_is_our_bug(toxiproxy: Toxiproxy, proxy: Proxy) -> None:
    with pytest.raises(HarnessError, match=r"^Toxiproxy refuses /proxies .*proxy already exists"):
        toxiproxy.create(proxy.name, "127.0.0.1:9")


def test_a_proxy_of_the_environment_is_not_asked(
    toxiproxy: Toxiproxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert toxiproxy.is_running()


def test_two_servers_do_not_share_an_address(toxiproxy: Toxiproxy) -> None:
    other = Toxiproxy("127.0.0.1", free_port())
    assert not other.is_running()
    assert toxiproxy.is_running()


def test_a_server_that_is_gone_is_reported_with_the_remedy() -> None:
    port = free_port()
    with pytest.raises(InfrastructureError) as caught:
        Toxiproxy("127.0.0.1", port).version()
    assert str(caught.value) == (
        f"Toxiproxy at 127.0.0.1:{port} does not answer (ConnectionError); it died or its port was taken."
        " Start it again: `paychaos doctor` says how."
    )


def test_a_server_that_says_nothing_does_not_stop_us_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("harness.live.toxiproxy", fromlist=["x"])._OPTIONS, "timeout", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(InfrastructureError, match=r"does not answer \(ReadTimeout\)"):
            Toxiproxy("127.0.0.1", silent.getsockname()[1]).version()


@pytest.fixture
def impostor() -> Iterator[HTTPServer]:
    """Answers every request with the status and text that it holds."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = self.server.answer  # type: ignore[attr-defined]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_old_server_is_refused_with_its_version(impostor: HTTPServer) -> None:
    impostor.answer = (200, b'{"version": "2.1.4"}')  # type: ignore[attr-defined]
    with pytest.raises(InfrastructureError) as caught:
        Toxiproxy("127.0.0.1", impostor.server_port).version()
    assert str(caught.value) == (
        f"Toxiproxy at 127.0.0.1:{impostor.server_port} is 2.1.4; at least 2.9 is needed."
        " `paychaos doctor` shows how to get it."
    )


def test_another_program_on_the_port_is_no_toxiproxy(impostor: HTTPServer) -> None:
    impostor.answer = (200, b"hello")  # type: ignore[attr-defined]
    with pytest.raises(InfrastructureError) as caught:
        Toxiproxy("127.0.0.1", impostor.server_port).version()
    assert str(caught.value) == (
        f"127.0.0.1:{impostor.server_port} is no Toxiproxy: /version answers 'hello'; name another port."
    )


def test_a_500_is_no_success(impostor: HTTPServer) -> None:
    impostor.answer = (500, b"out of ports")  # type: ignore[attr-defined]
    with pytest.raises(InfrastructureError, match=r"answers 500 to /proxies: out of ports\. Start it again"):
        Toxiproxy("127.0.0.1", impostor.server_port).names()
