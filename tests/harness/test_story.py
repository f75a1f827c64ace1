"""A run as a person reads it: what is told, what is folded, what is marked, and what of it is left out."""

from typing import Any

import pytest

from harness.fault import fault
from harness.history import Delivery, Event
from harness.names import parse_name
from harness.plan import Constraint, Plan
from harness.run import RowChange, Run, Violation
from harness.sim.clock import START_US
from harness.story.glimpse import answer_in_words, key_of, request_in_words
from harness.story.telling import differences, ledger_of, rows_of, tell, telling_from_json
from harness.story.timeline import timeline_of
from results.timeline import Entry, render_timeline

PAY = "api>provider POST /pay#1"
KEYED = "POST /pay HTTP/1.1\r\nHost: provider\r\nIdempotency-Key: {key}\r\n\r\namount=4200&currency=eur"


def run_of(*events: Event, plan: Plan | None = None, **options: Any) -> Run:
    names = [parse_name(event.what) for event in events if event.kind == "delivered"]
    protocols = {"postgres": "postgres", "redis": "resp"}
    deliveries = [Delivery(name, protocols.get(name.destination, "http"), 0, 0) for name in names]
    run = Run("lost_reply", "staging", plan or Plan(1), "pass", deliveries=deliveries, **options)
    run.events = list(events)
    run.virtual_us = 10_000_000
    return run


def delivered(at_us: int, name: str) -> Event:
    return Event(at_us, "delivered", parse_name(name).receiver, name)


def lines(run: Run) -> list[str]:
    return [" ".join(line.split()) for line in render_timeline(timeline_of(run)).splitlines()[1:]]


def test_messages_in_a_row_are_one_line_and_preparations_are_left_out() -> None:
    kinds = ("STARTUP", "PREPARE INSERT orders", "INSERT orders", "BEGIN", "COMMIT")
    run = run_of(*(delivered(1_000 * at, f"api>postgres {kind}#1") for at, kind in enumerate(kinds, 1)))
    assert lines(run) == ["0.003 api → postgres INSERT orders, COMMIT"]


def test_a_message_is_told_once_with_a_word_of_its_answer() -> None:
    contents = {PAY: KEYED.format(key="k-1"), f"{PAY}.reply": 'HTTP/1.1 200 OK\r\n\r\n{"id": "pi_1"}'}
    run = run_of(delivered(26_000, PAY), delivered(27_000, f"{PAY}.reply"), contents=contents)
    assert lines(run) == ["0.026 api → provider POST /pay amount 4200, currency eur, key k-1 (200)"]


def test_a_lost_answer_is_marked_between_its_two_nodes() -> None:
    plan = Plan(1, faults=(fault("lost_reply", f"{PAY}.reply"),))
    run = run_of(
        delivered(26_000, PAY),
        Event(26_000, "fault", "lost_reply", f"{PAY}.reply"),
        Event(26_000, "lost", "api", f"{PAY}.reply"),
        Event(2_000_000, "outcome", "ana", "POST /checkout", "unknown None"),
        Event(3_000_000, "healed", "world", ""),
        plan=plan,
    )
    assert lines(run) == [
        "0.026 api → provider POST /pay",
        "0.026 provider → api ⚡ lost reply: the answer to POST /pay#1",
        "2.000 ana ⚡ gets no answer to POST /checkout",
        "3.000 world faults end",
    ]


def test_a_late_answer_is_told_when_it_arrives() -> None:
    plan = Plan(1, faults=(fault("late_reply", f"{PAY}.reply"),))
    run = run_of(
        Event(26_000, "fault", "late_reply", f"{PAY}.reply"), delivered(9_000_000, f"{PAY}.reply"), plan=plan
    )
    assert lines(run) == [
        "0.026 provider → api ⚡ late reply by 10.000 s: the answer to POST /pay#1",
        "9.000 provider → api ⚡ the answer to POST /pay#1",
    ]


def test_a_fault_of_a_node_is_told_by_itself() -> None:
    plan = Plan(1, faults=(fault("crash", PAY, node="api"),))
    run = run_of(
        Event(5_000, "fault", "crash", PAY, "node=api"), Event(5_000, "crashed", "api", ""), plan=plan
    )
    assert lines(run) == ["0.005 fault ⚡ crash api for 2.000 s", "0.005 api ⚡ crashed"]


def test_a_held_message_and_one_that_finds_nobody_are_marked() -> None:
    run = run_of(Event(5_000, "held", "provider", PAY), Event(6_000, "unreachable", "provider", PAY))
    assert lines(run) == [
        "0.005 api → provider ‖ POST /pay#1 held back",
        "0.006 api → provider ⚡ POST /pay#1 finds nobody",
    ]


def test_a_poll_that_hears_the_same_is_folded_and_one_that_hears_something_is_told() -> None:
    names = [f"worker>redis LPOP jobs#{number}" for number in range(1, 9)]
    contents = {f"{name}.reply": "$-1\r\n" for name in names} | {f"{names[7]}.reply": "$1\r\n7\r\n"}
    run = run_of(*(delivered(1_000 * at, name) for at, name in enumerate(names, 1)), contents=contents)
    assert lines(run) == ["0.001 … 7 messages of worker's LPOP jobs", "0.008 worker → redis LPOP jobs"]


def test_the_same_body_under_another_key_is_remarked() -> None:
    second, third = PAY.replace("#1", "#2"), PAY.replace("#1", "#3")
    contents = {PAY: KEYED.format(key="a"), second: KEYED.format(key="b"), third: KEYED.format(key="b")}
    run = run_of(*(delivered(1_000, name) for name in (PAY, second, third)), contents=contents)
    assert [entry.note for entry in timeline_of(run)] == ["", "another key", "the same key"]


def test_what_a_dependency_recorded_stands_at_its_moment() -> None:
    record = {"at_us": START_US + 26_000, "kind": "charge", "id": "ch_1", "amount": 4200, "note": None}
    run = run_of(
        delivered(25_000, PAY), delivered(30_000, "api>redis SET a#1"), exports={"provider": [record]}
    )
    assert lines(run)[1] == "0.026 provider charge ch_1 4200"


def test_the_violation_stands_at_its_moment_and_little_is_told_after_it() -> None:
    later = [delivered(1_000_000 * at, f"api-{at}>redis SET a#{at}") for at in range(2, 12)]
    run = run_of(delivered(25_000, PAY), *later)
    run.violations = [Violation("paid_once", "o-1", "Order o-1 was paid twice.", 30_000)]
    told = lines(run)
    assert told[1] == "0.030 ✗ paid_once Order o-1 was paid twice."
    assert told[-1] == "… 4 more lines until the run ended at 11.000 s"


@pytest.mark.parametrize(
    ("protocol", "request_", "words"),
    [
        (
            "resp",
            "*5\r\n$3\r\nSET\r\n$6\r\ncorr:1\r\n$3\r\no-1\r\n$2\r\nEX\r\n$2\r\n15\r\n",
            "SET corr:1 o-1 EX 15",
        ),
        ("resp", "garbage", "KIND"),
        ("postgres", "B\0\0\0", "KIND"),
        ("http", "GET / HTTP/1.1\r\nhost: a\r\n\r\n", "KIND"),
        ("http", 'POST / HTTP/1.1\r\n\r\n{"a": {"b": 1}, "id": "evt_1", "n": 2}', "KIND id evt_1, n 2"),
        ("http", "POST / HTTP/1.1\r\n\r\n[1]", "KIND"),
    ],
)
def test_a_request_is_told_by_what_it_says(protocol: str, request_: str, words: str) -> None:
    assert request_in_words("KIND", protocol, request_) == words


@pytest.mark.parametrize(
    ("protocol", "answer", "words"),
    [
        ("http", "HTTP/1.1 409 Conflict\r\n\r\n", "409"),
        ("postgres", "2\0\0\0\x04C\0\0\0\rSELECT 0\0Z", "0 rows"),
        ("postgres", "C\0\0\0\rUPDATE 1\0Z", ""),
        ("postgres", "E\0SERROR\0VERROR\0C40P01\0Mdeadlock detected\0", "error 40P01 deadlock detected"),
        ("resp", "$-1\r\n", "nil"),
        ("resp", "-ERR no such key\r\n", "error ERR no such key"),
        ("resp", "+OK\r\n", ""),
        ("plain", "", ""),
    ],
)
def test_an_answer_is_told_in_a_word_when_it_says_something(protocol: str, answer: str, words: str) -> None:
    assert answer_in_words(protocol, answer) == words


def test_a_key_is_read_from_the_head_alone() -> None:
    assert key_of(KEYED.format(key="k-1")) == "k-1"
    assert key_of("POST / HTTP/1.1\r\n\r\nidempotency-key: no") == ""


def change(at_us: int, table: str, key: str, **after: Any) -> RowChange:
    return RowChange(at_us, table, key, "INSERT", None, after, "api")


def test_rows_are_those_that_mention_the_entity() -> None:
    changes = [
        change(1, "orders", "o-1"),
        change(2, "orders", "o-2"),
        change(3, "emails", "1", order_id="o-1"),
    ]
    assert [row.at_us for row in rows_of(changes, "o-1")] == [1, 3]
    assert [row.op for row in rows_of(changes, "o-9")] == ["insert"] * 3
    assert [row.at_us for row in rows_of(changes, None)] == [1, 2, 3]


def test_the_ledger_shows_what_no_row_of_ours_knows() -> None:
    exports = {"provider": [{"id": "ch_1", "intent": "pi_1"}, {"id": "ch_2", "intent": "pi_2"}], "mail": []}
    ledger = ledger_of(exports, [change(1, "orders", "o-1", intent="pi_2", status="paid")], None)
    assert ledger is not None
    assert ledger.theirs == "provider"
    assert [(line.key, line.theirs, line.ours, line.agrees) for line in ledger.lines] == [
        ("ch_1", "ch_1 pi_1", "", False),
        ("ch_2", "ch_2 pi_2", "orders o-1 paid", True),
    ]
    assert ledger_of({"provider": []}, [], None) is None


def test_the_nearest_passing_plan_is_told_by_its_differences() -> None:
    lost = fault("lost_reply", f"{PAY}.reply")
    order = Constraint("a>b X#1", "a>b Y#1")
    failing = Plan(1, faults=(lost,), constraints=(order,))
    assert differences(failing, Plan(1, inputs={"n": 2}, policy="pos")) == [
        f"without lost reply, {PAY}.reply",
        "without the order a>b X#1 before a>b Y#1",
        "inputs {'n': 2} in place of {}",
        "policy pos in place of fifo",
    ]
    assert differences(failing, failing) == ["the seed alone, so the order of what races"]


def test_a_telling_survives_the_pipe() -> None:
    run = run_of(delivered(26_000, PAY), exports={"provider": [{"id": "ch_1"}]})
    run.rows = [change(1, "orders", "o-1", n=1)]
    telling = tell(run)
    assert telling_from_json(telling.to_json()) == telling
    assert telling.timeline == (Entry(26_000, "api", "POST /pay", "provider"),)
