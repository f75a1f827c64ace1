"""Processes in any language, for the live world: started by a command, ready when a path answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import NotSimulated, UsageError
from harness.target import Process


@dataclass(frozen=True)
class Program(Process):
    """A process for the live world alone.

    command: its words, ``{port}`` in them replaced; it starts in the target's folder. image: run it in a container
    of this image, sharing the host's network. port: the variable that gets the port to listen on; None for a process
    that serves nobody. ready: a path that answers 2xx when it is ready; without one, listening is enough.
    """

    command: Sequence[str] = ()
    image: str | None = None
    port: str | None = None
    ready: str | None = None

    def __post_init__(self) -> None:
        if not (self.command or self.image) or not all(isinstance(word, str) for word in self.command):
            raise UsageError(
                f"process {self.name!r} has command={self.command!r}; it must be a list of words:"
                " command = ['node', 'server.js']."
            )
        if self.ready is not None and (self.port is None or not self.ready.startswith("/")):
            raise UsageError(
                f"process {self.name!r} has ready={self.ready!r}; it must be a path, of a process that has a port."
            )
        if not 1 <= self.instances <= 16:
            raise UsageError(f"process {self.name!r} has instances={self.instances}; 1 to 16 are supported.")

    @property
    def entry(self) -> str:
        """For messages; there is nothing to import."""
        return " ".join(self.command)


def refuse_programs(processes: Sequence[Process]) -> None:
    """For the simulation, which runs Python alone. Raises NotSimulated on a program."""
    for process in processes:
        if isinstance(process, Program):
            raise NotSimulated(
                f"process {process.name!r}, a program started with {process.entry!r}",
                "Only Python services run in the simulation; run it with --world live.",
            )


def is_served(process: Process) -> bool:
    """Whether others connect to it."""
    return process.port is not None if isinstance(process, Program) else process.asgi is not None


def ready_path(process: Process) -> str | None:
    """The path that answers 2xx when the process is ready; None when listening says enough."""
    return process.ready if isinstance(process, Program) else None
