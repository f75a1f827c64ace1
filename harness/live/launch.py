"""Starts a command as a process or in a container, whichever it asks for; both are struck and stopped alike."""

from __future__ import annotations

from harness.live.containers import Container
from harness.live.process import Child, Command

Running = Child | Container


def launch(command: Command) -> Running:
    """Raises InfrastructureError when the program, Docker or the image is not there."""
    if command.image is None:
        return Child(command)
    return Container(command.name, command.image, command.words, command.env)
