"""Free ports and whether somebody listens on one. Loopback only."""

import socket
import struct
from random import Random

HOST = "127.0.0.1"
LOWEST, HIGHEST = 20_000, 31_999


def listening_socket(port: int = 0) -> socket.socket:
    """A bound and listening socket; 0 takes a free port. Raises OSError when the port is taken.

    Free ports come from below the range that the kernel gives to outgoing connections: one that is closed and opened
    again is then never taken by a connection meanwhile.
    """
    for candidate in [port] if port else _candidates():
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, candidate))
            listener.listen(256)
        except OSError:
            listener.close()
            if port:
                raise
        else:
            return listener
    raise OSError(f"no free port from {LOWEST} to {HIGHEST}")


def _candidates() -> list[int]:
    return Random().sample(range(LOWEST, HIGHEST + 1), 200)


def free_port() -> int:
    """A port that nobody uses now. Somebody may take it before we do; who starts a server on it tries again."""
    with listening_socket() as probe:
        port: int = probe.getsockname()[1]
        return port


def is_listening(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


def speaks_postgres(host: str, port: int) -> bool:
    """Whether a PostgreSQL there takes connections: it answers the question for TLS with yes or no."""
    try:
        with socket.create_connection((host, port), 1.0) as probe:
            probe.sendall(struct.pack("!ii", 8, 80877103))
            return probe.recv(1) in (b"S", b"N")
    except OSError:
        return False
