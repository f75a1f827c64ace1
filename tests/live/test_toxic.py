"""Toxics are checked before they are sent: Toxiproxy takes a misspelt attribute as 0, and some values crash it."""

import pytest

from harness.errors import HarnessError
from harness.live import toxic
from harness.live.toxic import Toxic


@pytest.mark.parametrize(
    ("kind", "attributes", "text"),
    [
        ("lag", {}, "toxic 'lag' is none of latency, bandwidth, timeout, reset_peer, slicer, limit_data."),
        (
            "latency",
            {"latncy": 5},
            "toxic 'latency' has no attribute 'latncy'; it takes latency, jitter. Toxiproxy would take it as 0.",
        ),
        ("latency", {"latency": -1}, "toxic 'latency' has latency=-1; it must be from 0 to 2147483647."),
        (
            "latency",
            {"latency": 5, "jitter": 1},
            "toxic 'latency' is random: {'latency': 5, 'jitter': 1}; a plan must decide, not a die.",
        ),
        ("slicer", {}, "toxic 'slicer' has average_size=0, which crashes Toxiproxy 2.12; use at least 1."),
        ("bandwidth", {}, "toxic 'bandwidth' has rate=0, which Toxiproxy takes as no limit; use at least 1."),
    ],
)
def test_a_toxic_that_toxiproxy_would_misunderstand_is_refused(
    kind: str, attributes: dict[str, int], text: str
) -> None:
    with pytest.raises(HarnessError) as caught:
        Toxic(kind, "upstream", attributes)
    assert str(caught.value) == text


def test_a_delay_below_a_millisecond_is_still_a_delay() -> None:
    assert toxic.latency("upstream", 1).attributes == {"latency": 1}


def test_a_message_trickles_in_pieces_over_its_duration() -> None:
    slices = toxic.trickle("upstream", size=95, pieces=10, duration_us=2_000_000)
    assert slices.attributes == {"average_size": 10, "delay": 200_000}


def test_the_same_toxic_with_other_values_has_another_name() -> None:
    one, other = toxic.latency("upstream", 5_000), toxic.latency("upstream", 9_000)
    assert (one.name, other.name) == ("latency_upstream_5", "latency_upstream_9")
