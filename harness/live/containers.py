"""The one door to Docker: containers through testcontainers, reaped by us.

They share the host's network, so that links, gate and Toxiproxy work as with plain processes. testcontainers' own
reaper is an image, which is not to be had everywhere; instead each container carries the id of the process that
started it, and whoever starts containers first removes those whose owner is gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from harness.errors import InfrastructureError, TargetError

OWNER = "paychaos.owner"
LINES_SHOWN = 12


class Container:
    """One container, with the verbs of a process (see process.Child). `words` replaces the image's command.

    Raises InfrastructureError when Docker or the image is not there.
    """

    look_s = 0.5
    """How often it is worth asking whether it still runs, in seconds."""

    def __init__(
        self, name: str, image: str, words: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.image = image
        self.is_paused = False
        self._words = list(words)
        self._env = dict(env or {})
        self._container: Any = None
        self.start()

    def start(self) -> None:
        _import_testcontainers()
        from docker.errors import DockerException, ImageNotFound
        from testcontainers.core.container import DockerContainer

        try:
            _prepare(self.image)
            made = DockerContainer(self.image).with_envs(**self._env)
            made = made.with_kwargs(network_mode="host", labels={OWNER: str(os.getpid())}, init=True)
            if self._words:
                made = made.with_command(self._words)
            made.start()
        except ImageNotFound as error:
            raise InfrastructureError(
                f"container {self.name!r}: there is no image {self.image!r} here;"
                f" get it first: docker pull {self.image}"
            ) from error
        except DockerException as error:
            raise InfrastructureError(
                f"container {self.name!r}: Docker does not do it ({str(error).splitlines()[0]}); is its daemon running?"
                " `docker info` shows."
            ) from error
        self._container = made.get_wrapped_container()

    @property
    def digest(self) -> str:
        """What exactly ran: the image's id."""
        return str(self._container.image.id)

    @property
    def exit_code(self) -> int | None:
        """None while it runs; -9 once it was removed. Asks the daemon, which takes some milliseconds."""
        if self._container is None:
            return -9
        self._container.reload()
        state = self._container.attrs["State"]
        return None if state["Running"] else int(state["ExitCode"])

    @property
    def is_running(self) -> bool:
        return self.exit_code is None

    def stop(self) -> None:
        self._remove(lambda: self._container.stop(timeout=5))

    def crash(self) -> None:
        """Power cut: SIGKILL to everything in it."""
        self._remove(lambda: self._container.kill())

    def _remove(self, end: Callable[[], object]) -> None:
        from docker.errors import DockerException

        if self._container is not None:
            with suppress(DockerException):
                self.resume()
                end()
            with suppress(DockerException):
                self._container.remove(force=True, v=True)
            self._container = None

    def restart(self) -> None:
        self.crash()
        self.start()

    def pause(self) -> None:
        self._container.pause()
        self.is_paused = True

    def resume(self) -> None:
        if self.is_paused:
            self._container.unpause()
            self.is_paused = False

    def check_alive(self) -> None:
        code = self.exit_code
        if code is not None:
            raise TargetError(f"container {self.name!r} ended at start, exit code {code}.{self.last_lines()}")

    def not_ready(self, seconds: float, looked_for: str) -> TargetError:
        return TargetError(
            f"container {self.name!r} was not ready after {seconds:.0f} s: {looked_for}."
            f" Give it longer, or mend its start-up.{self.last_lines()}"
        )

    def last_lines(self) -> str:
        text = self._container.logs(tail=LINES_SHOWN).decode("utf-8", "replace").strip()
        if not text:
            return " It printed nothing."
        return " Its last lines:\n" + "\n".join(f"  {line}" for line in text.splitlines())


def _import_testcontainers() -> None:
    """Without its reaper; to be set before anything of it is used."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    from testcontainers.core.config import testcontainers_config

    testcontainers_config.ryuk_disabled = True


def _prepare(image: str) -> None:
    """Raises ImageNotFound when the image is not here: pulling it is left to the user, who may wait or look for it.

    Removes containers of ours whose owner died without a chance to clean up.
    """
    import docker

    client = docker.from_env()
    try:
        client.images.get(image)
        for container in client.containers.list(all=True, filters={"label": OWNER}):
            owner = int(container.labels.get(OWNER, "0"))
            if not os.path.exists(f"/proc/{owner}"):
                container.remove(force=True, v=True)
    finally:
        client.close()
