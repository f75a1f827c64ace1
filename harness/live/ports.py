"""Free ports and whether somebody listens on one. Loopback only."""

import socket

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
