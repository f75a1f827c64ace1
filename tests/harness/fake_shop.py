"""A user's file whose scenarios are never run: `fake_worker` behaves as their names say."""

from typing import Any

from harness import Build, Process, Target, always, scenario

shop = Target(
    "shop",
    [Process("api", asgi="shop:app")],
    builds=[Build("old", "as it is"), Build("new", "the change")],
)


@scenario(shop, faults=["lost_reply"])
async def fails(world: Any) -> None:
    """Finds one failure."""


@scenario(shop, faults=["lost_reply"])
async def holds(world: Any) -> None:
    """Finds nothing."""


@scenario(shop)
async def dies(world: Any) -> None:
    """Its worker is killed after one run."""


@scenario(shop)
async def idles(world: Any) -> None:
    """Exercises nothing."""


@scenario(shop)
async def flickers(world: Any) -> None:
    """Finds a failure that does not reproduce."""


@scenario(shop)
async def stays(world: Any) -> None:
    """Runs until it is stopped."""


@scenario(shop)
async def breaks(world: Any) -> None:
    """Meets a bug of ours."""


@scenario(shop)
async def mistakes(world: Any) -> None:
    """Meets a mistake of the user's, after one run."""


@scenario(shop)
async def hangs(world: Any) -> None:
    """Says nothing after one run."""


@fails.invariant(always)
@holds.invariant(always)
@dies.invariant(always)
@idles.invariant(always)
@flickers.invariant(always)
@stays.invariant(always)
@breaks.invariant(always)
@mistakes.invariant(always)
@hangs.invariant(always)
def paid_once(state: Any) -> None:
    """An order is paid once."""
