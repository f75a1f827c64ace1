"""Contended programs end the same every time: idle or loaded machine, new process or old one."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from tests.sim.postgres_world import Link, PostgresWorld, database

pytestmark = pytest.mark.determinism

SCHEMA = """
create table accounts (id int primary key, balance int not null, at timestamptz default now());
insert into accounts select n, 100 from generate_series(1, 3) n;
create table log (id serial primary key, account_id int references accounts, note text, at timestamptz default now());
"""
NODES, STEPS, REPEATS = 5, 60, 8


def program(seed: int) -> tuple[str, dict[str, int]]:
    """A seeded program of contending transactions; a digest of every byte and event, and what happened in it."""
    random = Random(seed)
    seen = hashlib.blake2b(digest_size=16)
    with PostgresWorld(database(SCHEMA), seed) as world:
        links = [world.link(f"node-{n}") for n in range(NODES)]
        links[0].send("listen news")
        busy: set[Link] = set()
        for _ in range(STEPS):
            world.host.advance(random.choice([0, 1, 40_000, 400_000]))
            busy = {link for link in busy if not link.wire.replies[link.asked :]}
            free = [link for link in links if link not in busy]
            if free:
                link = random.choice(free)
                link.asked = len(link.wire.replies)
                if link.send(statement(random)) is None:
                    busy.add(link)
        world.host.advance(5_000_000)
        for link in links:
            link.send("rollback")
        for link in links:
            seen.update(b"".join(link.wire.replies) + b"".join(link.wire.pushed))
        seen.update(repr(world.host.notes).encode())
        seen.update(repr(world.database.query("select *, ctid::text from accounts")).encode())
        seen.update(repr(world.database.row_history()).encode())
        kinds = [kind for kind, _ in world.host.notes]
    return seen.hexdigest(), {kind: kinds.count(kind) for kind in ("waits_for_lock", "deadlock")}


def statement(random: Random) -> str:
    first, second = random.sample([1, 2, 3], 2)
    return random.choice(
        [
            "begin",
            "begin",
            "commit",
            f"update accounts set balance = balance + {random.randint(1, 9)}, at = now() where id = {first}",
            f"update accounts set balance = balance * 2 where id = {first}",
            f"update accounts set balance = balance - 1 where id in ({first}, {second})",
            f"insert into log (account_id, note) values ({first}, gen_random_uuid()::text)",
            "select id from accounts for update skip locked limit 1",
            "select pg_sleep(0.03), clock_timestamp()",
            "select pg_notify('news', random()::text)",
            f"select balance, random() from accounts where id = {first} for update",
        ]
    )


@contextmanager
def load() -> Iterator[None]:
    """Twice as many busy processes as the machine has processors."""
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))
    ]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_contended_rows_and_deadlocks_end_the_same_under_load() -> None:
    seeds = range(REPEATS)
    idle = [program(seed) for seed in seeds]
    with load():
        loaded = [program(seed) for seed in seeds]
    assert loaded == idle
    assert sum(happened["deadlock"] for _, happened in idle) >= 2
    assert sum(happened["waits_for_lock"] for _, happened in idle) >= 40
    assert len({digest for digest, _ in idle}) == REPEATS


def test_another_process_with_another_server_and_hash_seed_ends_the_same() -> None:
    code = (
        "from tests.sim.test_postgres_determinism import program; print([program(n)[0] for n in (3, 7, 11)])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    output = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True, timeout=50
    ).stdout
    assert output.strip() == repr([program(seed)[0] for seed in (3, 7, 11)])
