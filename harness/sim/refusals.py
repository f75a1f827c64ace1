"""What a guest would do behind the simulation's back: threads and sockets of the operating system. Both raise."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from harness.sim import entropy


@contextmanager
def refusals() -> Iterator[None]:
    """While a guest runs, starting a thread or connecting a real socket raises NotSimulated."""
    real_start, real_connect = threading.Thread.start, socket.socket.connect

    def start(self: threading.Thread) -> None:
        if entropy.current is not None:
            raise entropy.current.refuse(
                "threading.Thread.start",
                "Use asyncio.to_thread, which runs the function at once in the simulation.",
            )
        real_start(self)

    def connect(self: socket.socket, address: Any) -> None:
        if entropy.current is not None:
            where = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)
            raise entropy.current.refuse(
                f"socket.connect to {where}",
                "The simulation knows asyncio connections; run with --world live, or give the process a fake.",
            )
        real_connect(self, address)

    _replace(threading.Thread, "start", start)
    _replace(socket.socket, "connect", connect)
    try:
        yield
    finally:
        _replace(threading.Thread, "start", real_start)
        _replace(socket.socket, "connect", real_connect)


def _replace(owner: type, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)
