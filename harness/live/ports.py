"""Free ports and whether somebody listens on one. Loopback only."""

import socket
import struct

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that nobody uses now. Somebody may take it before we do; who starts a server on it tries again."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
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
