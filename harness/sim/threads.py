"""Threads are not under our control, so what a guest hands to a thread pool runs at once instead.

asyncio's executor is the guest loop's own affair; this is the same for anyio, which Starlette and FastAPI use for
plain `def` endpoints and dependencies.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.sim import entropy


@contextmanager
def inline_threads() -> Iterator[None]:
    """Replaces anyio's worker threads while a guest runs, for the length of the block. Does nothing without anyio."""
    try:
        from anyio._backends._asyncio import AsyncIOBackend
    except ImportError:
        yield
        return
    real = AsyncIOBackend.__dict__["run_sync_in_worker_thread"]

    async def run_inline(
        cls: Any, func: Any, args: Any, abandon_on_cancel: bool = False, limiter: Any = None
    ) -> Any:
        if entropy.current is None:
            return await real.__get__(None, cls)(func, args, abandon_on_cancel, limiter)
        await cls.checkpoint()
        return func(*args)

    name = "run_sync_in_worker_thread"
    setattr(AsyncIOBackend, name, classmethod(run_inline))
    try:
        yield
    finally:
        setattr(AsyncIOBackend, name, real)
