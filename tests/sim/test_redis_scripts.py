"""The same command scripts against the simulated Redis and a real redis-server 6.2, byte by byte."""

from collections.abc import Iterator

import pytest

from harness.sim.redis.table import COMMANDS
from tests.conftest import Require
from tests.sim.redis_real import RealServer, running_server
from tests.sim.redis_script import Script, comparable, load_scripts, play_real, play_simulated, read_step

SCRIPTS = load_scripts()


@pytest.fixture(scope="module")
def server(require: Require) -> Iterator[RealServer]:
    with running_server(require) as running:
        yield running


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_both_servers_answer_the_same(script: Script, resp: int, server: RealServer) -> None:
    simulated = play_simulated(script, resp)
    real = play_real(script, resp, server, simulated)
    differences = [
        f"{number}: {line}: simulated {ours!r}, real {theirs!r}"
        for number, (line, ours, theirs) in enumerate(zip(script.lines, simulated, real, strict=True), 1)
        if comparable(ours, read_step(line).compare) != comparable(theirs, read_step(line).compare)
    ]
    assert not differences, "\n".join(differences)


def test_every_command_of_the_table_is_in_a_script() -> None:
    used = set()
    for script in SCRIPTS:
        for line in script.lines:
            words = [word.decode("latin-1").lower() for word in read_step(line).words]
            used |= {words[0], " ".join(words[:2])} if words else set()
    assert set(COMMANDS) - used == set()
