"""Reproducers: the file, its name, and one line for each way in which it can be bad."""

import json

import pytest

from harness.boundary import boundary_of, cause_of, signature_of
from harness.errors import InfrastructureError, UsageError
from harness.fault import fault
from harness.plan import Constraint, Plan
from harness.reproducer import Reproducer, read, write

PLAN = Plan(
    20261121 * 2**20 + 14,
    {"items": 2},
    (fault("lost_reply", "api>provider POST /v1/payment_intents#1.reply"),),
    (Constraint("provider>api paid#1", "api>postgres COMMIT#1"),),
)


def reproducer(**changes):
    fields = {
        "target": "checkout",
        "build": "staging",
        "scenario": "lost_reply",
        "invariant": "duplicate_charge",
        "entity": "o-1",
        "sentence": "Order o-1 was charged twice: 42.00 € and 42.00 €.",
        "plan": PLAN,
        "digest": "d" * 32,
        "found_seed": 20261121,
        "found_run": 14,
        "shrunk_from": 5,
    }
    return Reproducer(**{**fields, **changes})


def test_what_is_written_is_what_is_read(tmp_path):
    path = tmp_path / "failures" / "one.json"
    for one in (reproducer(), reproducer(source="tickets_chaos.py")):
        write(one, path)
        assert read(path) == one
    assert [item.name for item in path.parent.iterdir()] == ["one.json"]


def test_the_file_says_its_format_and_reads_like_a_sentence(tmp_path):
    path = tmp_path / "one.json"
    write(reproducer(), path)
    document = json.loads(path.read_text())
    assert list(document) == [
        "format", "paychaos", "target", "build", "scenario", "source", "invariant", "entity", "sentence", "plan",
        "digest", "found", "shrunk_from",
    ]  # fmt: skip
    assert document["format"] == 1
    assert document["found"] == {"seed": 20261121, "run": 14}
    assert "42.00 €" in path.read_text()


def test_the_name_is_the_invariant_and_four_digits_of_the_signature():
    one = reproducer()
    assert one.name == f"duplicate_charge-{one.signature[:4]}"
    assert len(one.signature) == 16


def test_a_signature_forgets_numbers_and_amounts_and_nothing_else():
    def signature(at, scenario="s", invariant="i", **amounts):
        return signature_of(scenario, invariant, Plan(1, faults=(fault("late_reply", at, **amounts),)))

    one = signature("customer-1>api POST /checkout#1.reply")
    assert one == signature("customer-2>api POST /checkout#3.reply", delay_us=5)
    assert one != signature("customer-1>api POST /refund#1.reply")
    assert one != signature("customer-1>api POST /checkout#1.reply", scenario="t")
    assert one != signature("customer-1>api POST /checkout#1.reply", invariant="j")


def test_a_cause_names_faults_and_order_without_numbers():
    assert cause_of(PLAN) == (
        "lost_reply api>provider POST /v1/payment_intents.reply",
        "provider>api paid before api>postgres COMMIT",
    )


def test_a_boundary_says_where_a_fault_strikes():
    assert boundary_of(fault("crash", "api-2>postgres COMMIT#3", node="api-2")) == "api>postgres COMMIT api-2"
    assert boundary_of(fault("crash", "@1250000", node="worker")) == "any moment worker"
    assert boundary_of(fault("late_reply", "a>b C#1.reply", delay_us=3)) == "a>b C.reply"


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(UsageError) as caught:
        read(tmp_path / "gone.json")
    assert str(caught.value) == (
        f"reproducer {tmp_path / 'gone.json'} does not exist."
        " The failures of the last run are in runs/latest/failures."
    )


def test_a_newer_format_is_answered_with_the_line_that_finds_it_again(tmp_path):
    path = tmp_path / "duplicate_charge-3f9c.json"
    path.write_text(json.dumps({**reproducer().to_json(), "format": 3}))
    with pytest.raises(UsageError) as caught:
        read(path)
    assert str(caught.value) == (
        "reproducer duplicate_charge-3f9c.json was written in format 3; this version reads up to 1. Upgrade, or"
        " re-run with its seed: paychaos run checkout:staging --scenario lost_reply --seed 20261121"
    )


def plan_with(**changes):
    return {**PLAN.to_json(), **changes}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": "1"}, "its format is '1', not a whole number from 1"),
        ({"format": True}, "its format is True, not a whole number from 1"),
        ({"entity": None}, "its 'entity' is None, not a text"),
        ({"found": 14}, "its 'found' is 14, not the seed and the run"),
        ({"found": {"seed": 1}}, "its 'found.run' is None, not a whole number"),
        ({"shrunk_from": 1.5}, "its 'shrunk_from' is 1.5, not a whole number"),
        ({"plan": None}, "its plan cannot be read ('NoneType' object has no attribute 'get')"),
        (
            {"plan": plan_with(seed=-1)},
            "its plan cannot be read (a plan's seed is -1; it must be a whole number from 0 to 2^63 - 1.)",
        ),
        (
            {"plan": plan_with(faults=[{"fault": "lost_replly", "at": "a>b C#1.reply"}])},
            "its plan cannot be read (fault 'lost_replly' does not exist. Did you mean 'lost_reply'? `paychaos list",
        ),
        ({"plan": plan_with(constraints=[{"before": "a>b C#1"}])}, "its plan cannot be read (constraint "),
    ],
)
def test_a_damaged_field_is_named(tmp_path, changes, why):
    path = tmp_path / "x-1.json"
    path.write_text(json.dumps({**reproducer().to_json(), **changes}))
    with pytest.raises(UsageError) as caught:
        read(path)
    assert str(caught.value).startswith(f"reproducer x-1.json is damaged: {why}")
    assert str(caught.value).endswith("Restore the file, or run the campaign again with its seed.")


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff\xfe", b"null"])
def test_a_file_that_is_no_json_object_is_damaged(tmp_path, content):
    path = tmp_path / "x-1.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"^reproducer x-1\.json is damaged: .+\. Restore the file, or run"):
        read(path)


def test_half_a_file_is_damaged_wherever_it_was_cut(tmp_path):
    path = tmp_path / "x-1.json"
    write(reproducer(), path)
    whole = path.read_bytes()
    for size in range(0, len(whole) - 2, 7):
        path.write_bytes(whole[:size])
        with pytest.raises(UsageError, match="is damaged"):
            read(path)


def test_a_disk_that_refuses_is_infrastructure(tmp_path):
    (tmp_path / "failures").write_text("a file, not a folder")
    with pytest.raises(InfrastructureError) as caught:
        write(reproducer(), tmp_path / "failures" / "one.json")
    assert str(caught.value).endswith("Free the disk or name another folder with --out.")
