"""The standalone provider from outside: its command line, its control API, and clients that do not behave."""

import json
import re
import signal
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_provider.__main__ import main
from fake_provider.server import connection as limits
from tests.fake_provider.conftest import Shop, Standalone

KEY = b"Authorization: Bearer sk_test_1\r\n"


@contextmanager
def served(*args: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`python -m fake_provider serve` on a free port: its address and its process."""
    command = [sys.executable, "-m", "fake_provider", "serve", "--port", "0", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            found = re.match(
                r"fake_provider listens on (http://127\.0\.0\.1:\d+) \(\w+\); control: \1/_control\n", first
            )
            assert found, first
            yield found[1], process
        finally:
            process.kill()


def pay(url: str, **params: Any) -> httpx.Response:
    """Creates and confirms an intent."""
    form = {
        "amount": "4200",
        "currency": "eur",
        "payment_method": "pm_card_visa",
        "confirm": "true",
        **params,
    }
    return httpx.post(
        f"{url}/v1/payment_intents", data=form, headers={"Authorization": "Bearer sk_test_1"}, timeout=5
    )


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_logs_what_happens_and_stops_when_told_to(
    stop: signal.Signals, shop: Shop, tmp_path: Path
) -> None:
    script = tmp_path / "faults.json"
    script.write_text(
        json.dumps([{"name": "decline", "operation": "POST /v1/payment_intents", "attempt": 2}])
    )
    with served("--webhook", shop.url, "--script", str(script)) as (url, process):
        assert (pay(url).status_code, pay(url).status_code) == (200, 402)
        received = {json.loads(shop.received.get(timeout=5)[1])["type"] for _ in range(6)}
        assert "payment_intent.payment_failed" in received
        process.send_signal(stop)
        out, log = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "fake_provider stopped\n")
    lines = [line[14:] for line in log.splitlines()]
    assert "POST /v1/payment_intents  200 pi_1 succeeded" in lines
    assert "POST /v1/payment_intents  402 card_declined  [decline]" in lines
    assert f"payment_intent.succeeded evt_3  -> {shop.url}  200" in lines


def test_a_port_that_is_taken_is_exit_3_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 3
    assert capsys.readouterr().err == (
        f"fake_provider: cannot listen on 127.0.0.1:{port}: address already in use. "
        "Choose another --port, or 0 for any free one.\n"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--profile", "stripe_v9"],
            "profile 'stripe_v9' does not exist: neither a file nor one of duplicate_check, stripe_v1, two_xx_only.",
        ),
        (["--script", "/nowhere.json"], "script /nowhere.json cannot be read: No such file or directory."),
        (["--webhook", "shop"], "webhook shop: Invalid URL: URL must be an absolute http or https address."),
        (["--port", "99999"], "port 99999 does not exist; ports go from 0 (any free one) to 65535."),
    ],
)
def test_a_wrong_option_is_exit_2_in_one_line(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *args]) == 2
    assert capsys.readouterr().err == f"fake_provider: {message}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "is not JSON: Expecting value: line 1 column 1 (char 0)."),
        ("{}", "must be a JSON list of behaviours."),
    ],
)
def test_a_wrong_script_is_explained(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "script.json"
    path.write_text(text)
    assert main(["serve", "--script", str(path)]) == 2
    assert capsys.readouterr().err == f"fake_provider: script {path} {message}\n"


def test_the_lists_name_everything_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults"]) == main(["profiles"]) == main(["faults", "--json"]) == 0
    out = capsys.readouterr().out
    assert "  timeout_after          the request is executed and stored, but no answer ever comes\n" in out
    assert "stripe_v1        Stripe, API v1. Everything that executed is stored" in out
    assert '"name": "callback_forged"' in out


def test_the_control_api_lists_itself_and_explains_mistakes(standalone: Standalone) -> None:
    assert "POST /_control/clock" in standalone.control("GET", "")["controls"]
    assert len(standalone.control("GET", "faults")["faults"]) > 30
    standalone.behave("slow", delay_us=1)
    assert standalone.control("GET", "behaviours")["behaviours"] == [
        {
            "name": "slow",
            "operation": "*",
            "entity": None,
            "attempt": 1,
            "parameters": {"delay_us": 1},
            "fired": 0,
        }
    ]
    assert standalone.control("DELETE", "behaviours") == {"behaviours": []}
    for method, path, body, message in (
        ("POST", "behaviours", b'{"name": "slwo"}', "behaviour 'slwo' does not exist. Did you mean 'slow'?"),
        ("POST", "behaviours", b"[]", "The body of a control request must be a JSON object."),
        ("POST", "clock", b"{", "The body of a control request must be a JSON object; this one is not JSON."),
        (
            "POST",
            "clock",
            b'{"advance_s": -1}',
            "'advance_s' is -1; it must be a number of seconds from 0 to 31622400.",
        ),
        ("POST", "resend", b'{"event": "evt_9"}', "No such event: 'evt_9'. GET /v1/events lists them."),
        ("POST", "authenticate", b'{"payment_intent": "pi_9"}', "No such payment_intent: 'pi_9'"),
        ("GET", "nothing", b"", "No control GET /_control/nothing. GET /_control lists them all."),
    ):
        answer = standalone.http.request(method, f"{standalone.url}/_control/{path}", content=body)
        assert answer.status_code in (400, 404)
        assert answer.json()["error"]["message"].startswith(message)


def exchange(standalone: Standalone, data: bytes) -> bytes:
    """Sends raw bytes and reads until the provider closes or answers."""
    host, port = standalone.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as client:
        client.sendall(data)
        return client.recv(65_536)


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (b"HELO mail\r\n\r\n", 400, b"Invalid request: this is not HTTP/1.1."),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, b"Invalid request: this is not HTTP/1.1."),
        (
            b"POST /v1/charges HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            400,
            b"Invalid request: this is not HTTP/1.1.",
        ),
        (b"GET /" + b"a" * 70_000, 431, b"The request headers have more than 65536 bytes."),
        (
            b"POST /v1/charges HTTP/1.1\r\n" + KEY + b"Content-Length: 10000000\r\n\r\n" + b"x" * 1_100_000,
            413,
            b"The request body has more than 1048576 bytes.",
        ),
        (
            b"POST /v1/charges HTTP/1.1\r\n" + KEY + b"Content-Length: 4\r\n\r\na=%F",
            400,
            b"Missing required param: amount.",
        ),
        (
            b"POST /v1/charges HTTP/1.1\r\n" + KEY + b"Content-Length: 5\r\n\r\na=%FF",
            400,
            b"the parameters are not valid UTF-8",
        ),
        (
            b"POST /v1/charges HTTP/1.1\r\n" + KEY + b"Content-Length: 5\r\n\r\na[b=1",
            400,
            b"has unbalanced brackets",
        ),
        (
            b"POST /v1/charges HTTP/1.1\r\n" + KEY + b"Content-Length: 10\r\n\r\na=1&a[b]=2",
            400,
            b"both as a value and as a hash",
        ),
        (
            b"GET /v1/charges?"
            + b"&".join(b"a%d=1" % n for n in range(1_001))
            + b" HTTP/1.1\r\n"
            + KEY
            + b"\r\n",
            400,
            b"more than 1000 parameters",
        ),
        (
            b"GET /v1/charges?a" + b"[a]" * 9 + b"=1 HTTP/1.1\r\n" + KEY + b"\r\n",
            400,
            b"is nested deeper than 8 levels",
        ),
        (b"GET /v1/charges HTTP/1.0\r\n" + KEY + b"\r\n", 200, b'"object":"list"'),
    ],
)
def test_what_is_no_proper_request_gets_an_error_object(
    standalone: Standalone, data: bytes, status: int, message: bytes
) -> None:
    answer = exchange(standalone, data)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert message in answer
    json.loads(answer.partition(b"\r\n\r\n")[2])


def test_requests_sent_ahead_are_answered_in_order_up_to_a_bound(standalone: Standalone) -> None:
    one = b"GET /v1/charges/ch_%d HTTP/1.1\r\n" + KEY + b"\r\n"
    host, port = standalone.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as client:
        client.sendall(b"".join(one % number for number in range(10)))
        answers = b""
        while answers.count(b"No such charge") < 10:
            answers += client.recv(65_536)
        assert re.findall(rb"No such charge: 'ch_(\d)'", answers) == [b"%d" % number for number in range(10)]
        client.sendall(b"".join(one % number for number in range(limits.MAX_QUEUED + 1)))
        refused = b""
        while chunk := client.recv(65_536):
            refused += chunk
        assert b"More than 16 requests are waiting on this connection." in refused


def test_a_head_request_gets_no_body(standalone: Standalone) -> None:
    host, port = standalone.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as client:
        client.sendall(b"HEAD /v1/charges HTTP/1.1\r\n" + KEY + b"Connection: close\r\n\r\n")
        answer = b""
        while chunk := client.recv(65_536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert answer.endswith(b"\r\n\r\n")


def test_a_slow_client_is_told_and_an_idle_one_closed(
    standalone: Standalone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standalone.service, "_request_s", 0.05)
    monkeypatch.setattr(standalone.service, "_idle_s", 0.05)
    assert b"408 Request Timeout" in exchange(standalone, b"POST /v1/charges HTTP/1.1\r\nContent-Le")
    assert exchange(standalone, b"") == b""


def test_a_thousand_connections_and_large_bodies_leave_memory_bounded(standalone: Standalone) -> None:
    host, port = standalone.url.removeprefix("http://").split(":")
    tracemalloc.start()
    clients = []
    try:
        for _ in range(1_000):
            client = socket.create_connection((host, int(port)), 10)
            client.sendall(b"POST /v1/charges HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 1_000)
            clients.append(client)
        assert pay(standalone.url).status_code == 200
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()
        for client in clients:
            client.close()
    assert pay(standalone.url).status_code == 200


def test_one_connection_too_many_is_turned_away(
    standalone: Standalone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standalone.service, "_max_connections", 0)
    assert b"Too many connections at once." in exchange(standalone, b"")


def test_a_bug_of_ours_is_a_500_without_a_traceback_and_stands_in_the_log(
    standalone: Standalone, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(standalone.service, "_write", lines.append)
    monkeypatch.setattr(standalone.service.provider.account, "charges", None)
    answer = pay(standalone.url)
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "api_error")
    assert "this is our bug, in POST /v1/payment_intents" in lines[0]
    assert "Traceback" not in answer.text


def test_an_answer_that_never_comes_does_not_keep_others_waiting(standalone: Standalone) -> None:
    standalone.behave("timeout_after", "GET /v1/balance")
    host, port = standalone.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as hanging:
        hanging.sendall(b"GET /v1/balance HTTP/1.1\r\n" + KEY + b"\r\n")
        assert pay(standalone.url).status_code == 200
        hanging.settimeout(0.05)
        with pytest.raises(TimeoutError):
            hanging.recv(1)
