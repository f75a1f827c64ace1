"""The package's README tells the truth: its commands run, its snippets work, its lists are complete."""

import json
import re
import shlex
from pathlib import Path

import httpx
import pytest

from fake_provider import Behaviour, Respond
from fake_provider.__main__ import main
from fake_provider.controls import CONTROLS
from tests.fake_provider.conftest import Standalone

README = (Path(__file__).parents[2] / "fake_provider" / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
CURLS = [[line for line in block.splitlines() if line.startswith("curl")] for _, block in BLOCKS]


def run_curl(line: str, standalone: Standalone) -> httpx.Response:
    """Does what a curl line of the README says."""
    words = shlex.split(line, comments=True)[1:]
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if "-d" in words else "GET"
    [target] = [word for word in words if word.startswith("localhost:12111")]
    body = words[words.index("-d") + 1] if "-d" in words else None
    return standalone.http.request(
        method, standalone.url + target.removeprefix("localhost:12111"), content=body
    )


def post(standalone: Standalone, path: str, **form: str) -> dict[str, object]:
    answer = standalone.http.post(
        f"{standalone.url}{path}", data=form, headers={"Authorization": "Bearer sk_test_1"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_curl_line_works_in_the_order_of_the_readme(standalone: Standalone) -> None:
    first, second = [lines for lines in CURLS if lines]
    payment = {"amount": "4200", "currency": "eur", "payment_method": "pm_card_visa", "confirm": "true"}
    post(standalone, "/v1/payment_intents", **payment)
    for line in first:
        assert run_curl(line, standalone).status_code == 200, line
    assert standalone.control("GET", "ledger") == {"ledger": []}, (
        "the last line of the first block is the reset"
    )
    post(standalone, "/v1/payment_intents", **{**payment, "payment_method": "pm_card_threeDSecure2Required"})
    post(standalone, "/v1/payment_intents", **payment)
    post(standalone, "/v1/refunds", charge="ch_1", amount="100")
    standalone.control("POST", "clock", advance_s=3 * 86_400)
    post(
        standalone,
        "/v1/webhook_endpoints",
        **{"url": "http://127.0.0.1:9/", "enabled_events[]": "payout.canceled"},
    )
    price = "line_items[0][price_data]"
    post(standalone, "/v1/checkout/sessions", **{f"{price}[currency]": "eur", f"{price}[unit_amount]": "700"})
    for line in second:
        answer = run_curl(line, standalone)
        assert answer.status_code == 200, (line, answer.text)
    assert {re.search(r"_control/(\w+)", line)[1] for line in second} == set(CONTROLS)  # type: ignore[index]


def test_the_control_lines_of_the_readme_are_all_that_the_api_lists(standalone: Standalone) -> None:
    listed = {
        entry.split(" ")[1].removeprefix("/_control").strip("/")
        for entry in standalone.control("GET", "")["controls"]
    }
    shown = set(re.findall(r"curl (?:-X \w+ )?localhost:12111/_control/?(\w*)", README))
    assert listed == shown


def test_the_script_of_the_readme_is_a_script() -> None:
    [script] = [block for language, block in BLOCKS if language == "json"]
    assert [Behaviour.from_json(item).name for item in json.loads(script)] == [
        "timeout_after",
        "callback_duplicated",
        "error_before",
    ]


def test_the_python_snippet_of_the_readme_runs() -> None:
    [snippet] = [block for language, block in BLOCKS if language == "python" and "Provider(" in block]
    names: dict[str, object] = {}
    exec(snippet, names)
    [action] = names["actions"]  # type: ignore[misc]
    assert isinstance(action, Respond)
    assert action.response is not None
    assert json.loads(action.response.body)["object"] == "balance"


def test_every_option_of_serve_is_in_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    out = capsys.readouterr().out
    options = set(re.findall(r"^  (--\w+)", out, re.MULTILINE))
    assert len(options) == 8
    assert {option for option in options if f"`{option}" not in README} == set()
    assert "examples:\n  python -m fake_provider serve --port 12111" in out


def test_every_kind_of_movement_is_in_the_readme_and_no_other() -> None:
    booked = set()
    for path in (Path(__file__).parents[2] / "fake_provider" / "api").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        booked.update(re.findall(r"\.book\(\s*\"(\w+)\"", source))
        booked.update(re.findall(r"(?:_give_back|_move)\(account, \w+(?:, charge)?, \"(\w+)\"", source))
    [told] = re.findall(r"Kinds: (.*?)\.\n", README, re.DOTALL)
    assert booked == set(re.findall(r"`(\w+)`", told))
