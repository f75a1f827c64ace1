"""How the processes of a target are started outside of the simulation: uvicorn for ASGI, plain Python for the rest."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.errors import UsageError
from harness.live.ports import HOST
from harness.live.process import Command
from harness.program import Program
from harness.target import Process

_MAIN = (
    "import asyncio, importlib, inspect, sys;"
    " module, _, name = sys.argv[1].partition(':');"
    " result = getattr(importlib.import_module(module), name)();"
    " inspect.isawaitable(result) and asyncio.run(result)"
)
"""Runs an entry that is an async function, or a function that calls `asyncio.run` itself."""

_PLACE = re.compile(r"\{(\w+)\}")


def command_for(
    process: Process, node: str, port: int, env: Mapping[str, str], folder: Path, log: Path
) -> Command:
    """The command of one instance. Raises UsageError when uvicorn, which serves it, is not installed."""
    if isinstance(process, Program):
        words = [word.replace("{port}", str(port)) for word in process.command]
        env = {**env, process.port: str(port)} if process.port else env
        if process.image is not None:
            return Command(node, words, env=env, log=log, image=process.image)
    elif process.asgi is not None:
        if importlib.util.find_spec("uvicorn") is None:
            raise UsageError(
                f"process {process.name!r} is ASGI; live it is served by uvicorn: pip install uvicorn"
            )
        words = [sys.executable, "-m", "uvicorn", process.asgi, "--host", HOST, "--port", str(port)]
        words += ["--log-level", "warning", "--lifespan", "auto"]
    else:
        words = [sys.executable, "-c", _MAIN, process.entry]
    return Command(node, words, env={**_base(folder), **env}, folder=folder, log=log)


def _base(folder: Path) -> dict[str, str]:
    """What every process finds beside the target's own variables. Its imports are resolved as ours are."""
    places = [str(folder), *(place for place in sys.path if place)]
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PGSSLMODE": "disable",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(places)),
        "PYTHONUNBUFFERED": "1",
    }


def places_in(text: str) -> list[str]:
    """The names in braces: ``{postgres}`` gives ``postgres``."""
    return _PLACE.findall(text)


def fill(text: str, url_of: Callable[[str], str | None]) -> str:
    """Puts URLs in the places of names; a name that nobody knows stays as it is."""
    return _PLACE.sub(lambda match: url_of(match[1]) or match[0], text)
