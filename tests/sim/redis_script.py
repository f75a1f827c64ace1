r"""Command scripts that run against the simulated and a real Redis, and what has to be equal.

A file holds scripts, each under a line `== title`. A script is a list of lines:

    SET k "a\nb"            a command of connection `a`; words as in a shell, \x41 and \n as in Python
    b: GET k                a command of connection `b`
    SMEMBERS s | sorted     the order of the elements is not compared (| pairs: the order of pairs; | about: integers
                            may differ by 1500; | shape: only the RESP types are compared)
    b! BLPOP k 0            sent; the server has it, and no answer may have come
    b?                      takes what has come for `b`
    @advance 50             50 ms pass; a real server just gets the chance to notice by itself
    @expire k               the time to live of `k` runs out
    # a comment
"""

import ast
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from harness.sim.redis import RedisNode
from harness.wire.resp import value_end
from tests.sim.redis_bench import HandHost, SimulatedClient, command
from tests.sim.redis_real import RealClient, RealServer

FOLDER = Path(__file__).parent / "redis_scripts"
_LINE = re.compile(r"(?:(?P<client>[a-z])(?P<mark>[:!?]))?\s*(?P<words>.*?)(?:\s+\|\s+(?P<compare>\w+))?")
_PATIENCE_S = 5.0


@dataclass(frozen=True)
class Script:
    """One script: where it stands, and its lines."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One line, read."""

    text: str
    client: str
    mark: str
    words: tuple[bytes, ...]
    compare: str


def load_scripts() -> list[Script]:
    """All scripts of all files."""
    scripts = []
    for path in sorted(FOLDER.glob("*.txt")):
        for part in re.split(r"^== ", path.read_text(), flags=re.MULTILINE)[1:]:
            title, *lines = part.splitlines()
            kept = tuple(line for line in lines if line.strip() and not line.startswith("#"))
            scripts.append(Script(f"{path.stem}: {title.strip()}", kept))
    return scripts


def read_step(line: str) -> Step:
    match = _LINE.fullmatch(line.strip())
    assert match is not None
    words = tuple(_bytes(word) for word in shlex.split(match["words"]))
    return Step(line, match["client"] or "a", match["mark"] or ":", words, match["compare"] or "exact")


def _bytes(word: str) -> bytes:
    if "\\" not in word:
        return word.encode()
    literal: bytes = ast.literal_eval('b"' + word.replace('"', '\\"') + '"')
    return literal


def play_simulated(script: Script, resp: int) -> list[bytes]:
    """What the simulated Redis sends at each line."""
    host = HandHost()
    node = RedisNode(host)
    clients: dict[str, SimulatedClient] = {}
    heard = []
    for step in map(read_step, script.lines):
        if step.words[:1] == (b"@advance",):
            host.advance(int(step.words[1]) * 1000)
        elif step.words[:1] == (b"@expire",):
            assert node.expire(step.words[1].decode()) == [step.words[1].decode()]
        else:
            client = clients.get(step.client)
            if client is None:
                client = clients[step.client] = SimulatedClient(node, step.client)
                if resp == 3:
                    client.ask("HELLO", 3)
            if step.words:
                client.send(command(*step.words))
            heard.append(client.take())
            continue
        heard.append(b"")
    return heard


def play_real(script: Script, resp: int, server: RealServer, expected: list[bytes]) -> list[bytes]:
    """What a real Redis sends at each line: as many values as are expected, and at the end nothing more."""
    clients: dict[str, RealClient] = {}
    with RealClient(server) as control:
        control.ask("FLUSHALL")
        control.ask("SCRIPT", "FLUSH")
        try:
            heard = [
                _real_step(step, resp, server, control, clients, count_values(values))
                for step, values in zip(map(read_step, script.lines), expected, strict=True)
            ]
            for name, client in clients.items():
                _check_silence(name, client)
        finally:
            for client in clients.values():
                client.__exit__(None, None, None)
    return heard


def _real_step(
    step: Step,
    resp: int,
    server: RealServer,
    control: RealClient,
    clients: dict[str, RealClient],
    values: int,
) -> bytes:
    if step.words[:1] == (b"@advance",):
        return b""
    if step.words[:1] == (b"@expire",):
        control.ask("PEXPIRE", step.words[1], 1)
        _poll(lambda: control.ask("EXISTS", step.words[1]) == b":0\r\n", step.text)
        return b""
    if step.client not in clients:
        clients[step.client] = RealClient(server)
        if resp == 3:
            clients[step.client].ask("HELLO", 3)
    client = clients[step.client]
    blocked = _blocked_clients(control)
    if step.words:
        client.send(command(*step.words))
    if step.mark == "!":
        wait_until_blocked(control, blocked + 1, step.text)
    return client.take(values)


def wait_until_blocked(control: RealClient, clients: int, what: str) -> None:
    """Returns when so many clients of a real server are blocked."""
    _poll(lambda: _blocked_clients(control) == clients, what)


def _blocked_clients(control: RealClient) -> int:
    found = re.search(rb"blocked_clients:(\d+)", control.ask("INFO", "clients"))
    assert found is not None
    return int(found[1])


def _poll(reached: Callable[[], bool], what: str) -> None:
    deadline = monotonic() + _PATIENCE_S
    while not reached():
        assert monotonic() < deadline, f"the real server did not get through {what!r}"


def _check_silence(name: str, client: RealClient) -> None:
    """Nothing may have come that the simulated server did not send too."""
    try:
        client.send(command("RESET"))
        answer = client.take(1)
    except ConnectionError:
        return
    assert answer == b"+RESET\r\n", f"connection {name} of the real server was also sent {answer!r}"


def count_values(data: bytes) -> int:
    position = count = 0
    while position < len(data):
        end = value_end(data, position)
        assert end is not None, f"the simulated server sent half a value: {data!r}"
        position = end
        count += 1
    return count


def comparable(data: bytes, how: str) -> object:
    """What of an answer has to be equal."""
    if how == "exact":
        return data
    if how == "shape":
        return _types(data)
    if how == "about":
        return round(int(data[1:-2]) / 3000)
    head, *items = _elements(data)
    if how == "pairs":
        items = [first + second for first, second in zip(items[::2], items[1::2], strict=True)]
    return [head, *sorted(items)]


def _types(data: bytes) -> list[bytes]:
    """The type of each value in an answer, nested ones too."""
    types = []
    while data:
        types.append(data[:1])
        end = value_end(data, 0)
        assert end is not None
        inner = data[data.index(b"\n") + 1 : end] if data[:1] in b"*%~>" else b""
        types += _types(inner)
        data = data[end:]
    return types


def _elements(data: bytes) -> list[bytes]:
    """The first line of an array and its elements."""
    end = data.index(b"\n") + 1
    items = [data[:end]]
    while end < len(data):
        after = value_end(data, end)
        assert after is not None
        items.append(data[end:after])
        end = after
    return items
