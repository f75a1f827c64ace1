"""The official stripe-node SDK, unmodified, against the standalone provider.

One node process runs every case (`node/drive.mjs`) and reports what it saw. The SDK is installed from npm once,
into a folder that git ignores; without node, npm or the index the tests skip and say what to do.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fake_provider.cards import CARDS
from tests.conftest import Require
from tests.fake_provider.conftest import Standalone

pytestmark = pytest.mark.timeout(240)  # the first time, npm fetches the SDK
HERE = Path(__file__).parent / "node"
VERSION = json.loads((HERE / "package.json").read_text())["dependencies"]["stripe"]
CACHE = Path(__file__).parents[2] / f".venv-node-stripe-{VERSION}"
DECLINING = {card.name: card.decline for card in CARDS if card.decline}


@pytest.fixture(scope="module")
def stripe_node(require: Require) -> Path:
    """A folder in which node finds the SDK and the driver."""
    node, npm = shutil.which("node"), shutil.which("npm")
    require(node and npm, "node with npm", "Install Node.js 20 or newer.")
    if not CACHE.exists():
        fresh = CACHE.with_name(f"{CACHE.name}-{os.getpid()}")
        fresh.mkdir()
        shutil.copy(HERE / "package.json", fresh)
        command = [str(npm), "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=150, check=False)
        if done.returncode == 0 and not CACHE.exists():
            fresh.rename(CACHE)
        shutil.rmtree(fresh, ignore_errors=True)
    require(
        (CACHE / "node_modules" / "stripe").exists(),
        f"the npm package stripe {VERSION}",
        f"Let npm reach its index, or run `npm install stripe@{VERSION}` in {CACHE.name}.",
    )
    shutil.copy(HERE / "drive.mjs", CACHE)
    return CACHE


@pytest.fixture(scope="module")
def seen(stripe_node: Path, server: Standalone) -> dict[str, Any]:
    """What each case of the driver saw."""
    command = ["node", "drive.mjs", server.url, json.dumps(list(DECLINING))]
    done = subprocess.run(command, cwd=stripe_node, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_pays_refunds_and_pages_through_events(seen: dict[str, Any]) -> None:
    assert seen["pays"] == {
        "intent": "succeeded",
        "net": 4048,
        "refund": "succeeded",
        "customer": "cus_1",
        "events": seen["pays"]["events"],
    }
    assert seen["pays"]["events"][:3] == ["charge.refunded", "refund.created", "payment_intent.succeeded"]
    assert len(seen["pays"]["events"]) == 6


def test_it_holds_and_captures(seen: dict[str, Any]) -> None:
    assert seen["holds"] == {
        "held": "requires_capture",
        "received": 4000,
        "again": "payment_intent_unexpected_state",
    }


@pytest.mark.parametrize("card", DECLINING)
def test_every_declining_test_card_raises_its_card_error(seen: dict[str, Any], card: str) -> None:
    decline = DECLINING[card]
    assert decline is not None
    assert seen["declines"][card] == {
        "type": "StripeCardError",
        "status": 402,
        "code": decline.code,
        "decline": decline.decline_code or "",
        "message": decline.message,
    }


def test_retries_after_lost_replies_give_one_charge(seen: dict[str, Any]) -> None:
    assert seen["retries"] == {
        fault: {"status": "succeeded", "charges": 1}
        for fault in ("drop_after", "drop_before", "timeout_after")
    }


def test_a_key_with_other_parameters_is_an_idempotency_error(seen: dict[str, Any]) -> None:
    found = seen["mismatch"]
    assert (found["same"], found["replayed"]) == (True, "true")
    assert (found["other"]["type"], found["other"]["status"]) == ("StripeIdempotencyError", 400)


def test_a_key_in_flight_answers_409_to_the_second_of_two(seen: dict[str, Any]) -> None:
    assert seen["in_flight"] == {"paid": 1, "status": 409, "code": "idempotency_key_in_use"}


def test_429_and_a_stored_500_are_not_retried_but_a_lock_timeout_is(seen: dict[str, Any]) -> None:
    assert seen["limits"] == {
        "plain": "StripeRateLimitError",
        "locked": "succeeded",
        "stored": 500,
        "charges": 2,
    }


def test_callbacks_are_verified_by_the_sdk_and_stale_and_forged_ones_refused(seen: dict[str, Any]) -> None:
    assert seen["callbacks"] == {
        "type": "payment_intent.succeeded",
        "verdicts": {
            "signature_stale": "Timestamp outside the tolerance zone",
            "signature_forged": "No signatures found matching the expected signature for payload",
        },
    }
