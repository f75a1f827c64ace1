"""Toxics: what Toxiproxy can be told to do to one direction of a connection, checked before it is sent.

Toxiproxy takes misspelt attributes as zero, and some values crash its server; none of those leave this file.
Units are Toxiproxy's own, in the attribute's name there and in its comment here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.errors import HarnessError

Stream = Literal["upstream", "downstream"]
"""``upstream``: from the caller to the service. ``downstream``: back."""
STREAMS: tuple[Stream, Stream] = ("upstream", "downstream")

_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "latency": ("latency", "jitter"),  # milliseconds
    "bandwidth": ("rate",),  # kilobytes a second
    "timeout": ("timeout",),  # milliseconds; 0 swallows everything until the toxic is removed
    "reset_peer": ("timeout",),  # milliseconds
    "slicer": ("average_size", "size_variation", "delay"),  # bytes, bytes, microseconds
    "limit_data": ("bytes",),  # counted from the moment the toxic is set
}
_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Toxic:
    """One toxic. All randomness is in the plan, so toxicity is always 1.0, jitter and size_variation 0."""

    type: str
    stream: Stream
    attributes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.type not in _ATTRIBUTES:
            raise HarnessError(f"toxic {self.type!r} is none of {', '.join(_ATTRIBUTES)}.")
        unknown = set(self.attributes) - set(_ATTRIBUTES[self.type])
        if unknown:
            raise HarnessError(
                f"toxic {self.type!r} has no attribute {min(unknown)!r}; it takes {', '.join(_ATTRIBUTES[self.type])}."
                " Toxiproxy would take it as 0."
            )
        for name, value in self.attributes.items():
            if not 0 <= value <= _LARGEST:
                raise HarnessError(
                    f"toxic {self.type!r} has {name}={value}; it must be from 0 to {_LARGEST}."
                )
        if self.attributes.get("jitter") or self.attributes.get("size_variation"):
            raise HarnessError(
                f"toxic {self.type!r} is random: {dict(self.attributes)}; a plan must decide, not a die."
            )
        if self.type == "slicer" and self.attributes.get("average_size", 0) < 1:
            raise HarnessError(
                "toxic 'slicer' has average_size=0, which crashes Toxiproxy 2.12; use at least 1."
            )
        if self.type == "bandwidth" and self.attributes.get("rate", 0) < 1:
            raise HarnessError(
                "toxic 'bandwidth' has rate=0, which Toxiproxy takes as no limit; use at least 1."
            )

    @property
    def name(self) -> str:
        """Its own on a proxy, unless the same toxic is set twice: ``latency_upstream_200``."""
        return "_".join([self.type, self.stream, *map(str, self.attributes.values())])

    def to_json(self) -> dict[str, object]:
        zeros = dict.fromkeys(_ATTRIBUTES[self.type], 0)
        return {
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": 1.0,
            "attributes": {**zeros, **self.attributes},
        }


def latency(stream: Stream, delay_us: int) -> Toxic:
    """Every chunk comes `delay_us` later, in whole milliseconds, at least 1."""
    return Toxic("latency", stream, {"latency": max(1, delay_us // 1_000)})


def bandwidth(stream: Stream, bytes_per_second: int) -> Toxic:
    """Whole kilobytes a second, at least 1: Toxiproxy knows nothing slower."""
    return Toxic("bandwidth", stream, {"rate": max(1, round(bytes_per_second / 1_000))})


def swallow(stream: Stream) -> Toxic:
    """Nothing passes any more, and the connection stays open until the toxic is removed, which closes it."""
    return Toxic("timeout", stream, {"timeout": 0})


def cut_after(stream: Stream, size: int) -> Toxic:
    """The next `size` bytes pass, then the connection ends."""
    return Toxic("limit_data", stream, {"bytes": size})


def trickle(stream: Stream, size: int, pieces: int, duration_us: int) -> Toxic:
    """A message of `size` bytes comes in about `pieces` pieces over `duration_us`."""
    piece = max(1, -(-size // pieces))
    return Toxic("slicer", stream, {"average_size": piece, "delay": duration_us // max(1, -(-size // piece))})


def reset(stream: Stream) -> Toxic:
    """The connection ends at once, what was on its way thrown away. On one that already exists: FIN, not RST."""
    return Toxic("reset_peer", stream, {"timeout": 0})
