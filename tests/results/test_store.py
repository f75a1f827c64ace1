"""A results folder keeps every row through every kind of end, and says clearly when it cannot."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import polars
import pytest

from results import folder as folder_module
from results.errors import ResultsError
from results.folder import resolve
from results.record import CoverageRecord, InvariantCount, OutcomeRecord, RunRecord, Verdict, ViolationRecord
from results.store import ResultStore

COVERAGE = CoverageRecord("lost_reply", "lost_reply", "api>provider POST /v1/payment_intents#1", 2, 1)


def run(name: str, seed: int = 1, verdict: Verdict = "pass") -> RunRecord:
    return RunRecord(
        name, "lost_reply", "checkout", "staging", seed, verdict, "d" * 32, 167, 3_230_000, 50_000
    )


def violation(run: str, reproducer: str = "", size: int = 1) -> ViolationRecord:
    signature = "charged_once by lost_reply"
    return ViolationRecord(
        run, "charged_once", "o-1", signature, size, reproducer, 1, size - 1, "Order o-1 twice."
    )


def filled(root: Path, name: str = "a") -> ResultStore:
    store = ResultStore.create(root, id=name, info={"seed": 20261121})
    store.add_run(run("lost_reply-1"), {"charged_once": "held", "settles": "not_exercised"})
    store.add_run(
        run("lost_reply-2", seed=2, verdict="fail"), {"charged_once": "violated", "settles": "held"}
    )
    store.add_violation(violation("lost_reply-2", size=7))
    store.add_violation(violation("lost_reply-2", reproducer="failures/charged_once-3f9c.json", size=2))
    store.add_coverage(COVERAGE)
    store.add_coverage(COVERAGE)
    return store


def everything(store: ResultStore) -> tuple[object, ...]:
    return store.runs, store.outcomes, store.violations, store.coverage, store.counts()


def test_a_finished_folder_reads_back_every_row_that_was_added(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.finish(info={"wall_us": 38_000_000})
    read = ResultStore.open(tmp_path / "a")
    assert read.runs == (run("lost_reply-1"), run("lost_reply-2", seed=2, verdict="fail"))
    assert read.outcomes[1] == OutcomeRecord("lost_reply-1", "settles", "not_exercised")
    assert read.violations == (
        violation("lost_reply-2", reproducer="failures/charged_once-3f9c.json", size=2),
    )
    assert read.coverage == (CoverageRecord("lost_reply", "lost_reply", COVERAGE.boundary, 4, 2),)
    assert read.counts() == [
        InvariantCount("lost_reply", "charged_once", held=1, violated=1, not_exercised=0),
        InvariantCount("lost_reply", "settles", held=1, violated=0, not_exercised=1),
    ]
    assert everything(read) == everything(store)
    assert (read.state, read.info) == ("finished", {"seed": 20261121, "wall_us": 38_000_000})
    assert not read.torn


def test_the_parquet_columns_are_the_published_ones(tmp_path: Path) -> None:
    filled(tmp_path).finish()
    tables = {path.stem: polars.read_parquet(path) for path in (tmp_path / "a").glob("*.parquet")}
    assert {name: " ".join(table.columns) for name, table in tables.items()} == {
        "runs": "run scenario target build seed verdict digest steps virtual_us wall_us",
        "violations": "run invariant entity signature shrunk_size reproducer faults constraints sentence",
        "coverage": "scenario fault boundary planned hit",
        "outcomes": "run invariant outcome",
        "invariants": "scenario invariant held violated not_exercised",
    }


def test_an_empty_campaign_finishes_and_reads_back(tmp_path: Path) -> None:
    ResultStore.create(tmp_path, id="empty").finish()
    assert everything(ResultStore.open(tmp_path / "empty")) == ((), (), (), (), [])


def test_an_interrupted_campaign_reads_back_and_says_so(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.finish(interrupted=True)
    read = ResultStore.open(tmp_path / "a")
    assert (read.state, everything(read)) == ("interrupted", everything(store))


def test_a_folder_whose_process_was_killed_reads_back_every_row_it_had_added(tmp_path: Path) -> None:
    program = (
        "import os, runpy, signal, sys; from pathlib import Path\n"
        "runpy.run_path(sys.argv[1])['filled'](Path(sys.argv[2])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program, __file__, str(tmp_path)], timeout=30)
    assert ended.returncode == -signal.SIGKILL
    read = ResultStore.open(tmp_path / "a")
    assert (read.state, read.torn) == ("running", False)
    assert everything(read) == everything(filled(tmp_path, "b"))


@pytest.mark.parametrize("cut", [1, 40])
def test_a_torn_last_line_is_dropped_and_the_rows_before_it_are_kept(tmp_path: Path, cut: int) -> None:
    filled(tmp_path)
    rows = tmp_path / "a" / "rows.jsonl"
    whole = rows.read_bytes()
    rows.write_bytes(whole[:-cut])
    read = ResultStore.open(tmp_path / "a")
    assert read.torn
    assert read.coverage == (COVERAGE,)
    assert len(read.runs) == 2


def test_a_last_line_of_zeros_as_a_power_cut_leaves_it_is_dropped(tmp_path: Path) -> None:
    filled(tmp_path)
    rows = tmp_path / "a" / "rows.jsonl"
    rows.write_bytes(rows.read_bytes() + b"\0" * 512)
    read = ResultStore.open(tmp_path / "a")
    assert read.torn
    assert len(read.runs) == 2


def test_a_damaged_line_in_the_middle_is_refused_with_its_number(tmp_path: Path) -> None:
    filled(tmp_path)
    rows = tmp_path / "a" / "rows.jsonl"
    lines = rows.read_text().splitlines()
    rows.write_text("\n".join([lines[0], lines[1][:20], *lines[2:]]) + "\n")
    with pytest.raises(ResultsError) as caught:
        ResultStore.open(tmp_path / "a")
    assert str(caught.value) == (
        f"{rows}, line 2, is not a row: the file was edited or the disk is damaged. "
        "Delete that line to read the others, or run the campaign again."
    )


def test_a_row_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    filled(tmp_path)
    rows = tmp_path / "a" / "rows.jsonl"
    rows.write_text('{"row":"verse"}\n')
    with pytest.raises(ResultsError) as caught:
        ResultStore.open(tmp_path / "a")
    assert str(caught.value) == (
        f"{rows}, line 1, is not a row of this version: there is no row of kind 'verse'. Upgrade paychaos."
    )


def test_a_kill_between_the_tables_and_the_manifest_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(tmp_path)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("results.store.write_manifest", killed)
    with pytest.raises(KeyboardInterrupt):
        store.finish()
    assert everything(ResultStore.open(tmp_path / "a")) == everything(store)
    monkeypatch.undo()
    store.finish(interrupted=True)
    assert everything(ResultStore.open(tmp_path / "a")) == everything(store)


def test_a_checkpoint_writes_tables_and_the_campaign_goes_on(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.checkpoint()
    assert polars.read_parquet(tmp_path / "a" / "runs.parquet").height == 2
    store.add_run(run("lost_reply-3", seed=3), {})
    assert len(ResultStore.open(tmp_path / "a").runs) == 3


def test_no_temporary_file_is_left_behind(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.save_text("report.txt", "all well\n")
    assert store.save_failure("charged_once-3f9c.json", "{}") == "failures/charged_once-3f9c.json"
    store.finish()
    assert sorted(path.name for path in (tmp_path / "a").rglob("*") if path.is_file()) == sorted(
        ["charged_once-3f9c.json", "manifest.json", "report.txt"]
        + [f"{name}.parquet" for name in ("coverage", "invariants", "outcomes", "runs", "violations")]
    )


def test_a_full_disk_is_one_clear_error_and_the_rows_before_it_are_kept(tmp_path: Path) -> None:
    store = filled(tmp_path)
    rows = tmp_path / "a" / "rows.jsonl"
    before = rows.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
    try:
        with pytest.raises(ResultsError) as caught:
            store.add_run(run("lost_reply-3", seed=3), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value).startswith(f"{rows} cannot be written (only 20 of ")
    assert str(caught.value).endswith(
        " bytes fit): results are kept as the campaign goes. "
        "Free some space, or name a folder you may write to with --out."
    )
    assert caught.value.exit_code == 3
    assert rows.read_bytes() == before


def test_a_disk_that_fills_while_finishing_leaves_everything_readable(tmp_path: Path) -> None:
    store = filled(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(ResultsError, match=r"runs\.parquet cannot be written \("):
            store.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "a").glob(".*")) == []
    assert everything(ResultStore.open(tmp_path / "a")) == everything(store)


def test_a_place_that_cannot_hold_folders_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError) as caught:
        ResultStore.create(tmp_path / "file", id="a")
    assert str(caught.value) == (
        f"{tmp_path}/file/a cannot be written (File exists): results are kept as the campaign goes. "
        "Free some space, or name a folder you may write to with --out."
    )


def test_an_existing_folder_is_never_written_over(tmp_path: Path) -> None:
    filled(tmp_path)
    with pytest.raises(ResultsError) as caught:
        ResultStore.create(tmp_path, id="a")
    assert str(caught.value) == (
        f"{tmp_path}/a exists: results are never written over. Remove it, or choose another name with --out."
    )


@pytest.mark.parametrize("name", ["", "latest", ".hidden", "a/b", "a b"])
def test_an_impossible_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ResultsError) as caught:
        ResultStore.create(tmp_path, id=name)
    assert str(caught.value) == (
        f"{name!r} cannot name a results folder: letters, digits, '.', '_' and '-' do, 'latest' is taken. "
        "Choose another name with --out."
    )


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / "a" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 3}))
    with pytest.raises(ResultsError) as caught:
        ResultStore.open(tmp_path / "a")
    assert str(caught.value) == (
        f"{tmp_path}/a was written in format 3; this version reads up to 1. "
        "Upgrade paychaos, or run the campaign again."
    )


def test_a_folder_that_is_not_there_is_answered_with_the_closest_one(tmp_path: Path) -> None:
    filled(tmp_path, "candidate")
    with pytest.raises(ResultsError) as caught:
        ResultStore.open(tmp_path / "candidat")
    assert str(caught.value) == (
        f"{tmp_path}/candidat is not a results folder: one holds a manifest.json. "
        f"Did you mean {tmp_path}/candidate? `paychaos run` makes one."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read (Expecting property name"),
        ("[]", "names no format: it is not a manifest of ours."),
        ('{"format": 1, "state": "resting", "info": {}}', "lacks its state or info: it was edited."),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str, said: str) -> None:
    filled(tmp_path)
    (tmp_path / "a" / "manifest.json").write_text(text)
    with pytest.raises(ResultsError) as caught:
        ResultStore.open(tmp_path / "a")
    assert f"{tmp_path}/a/manifest.json {said}" in str(caught.value)
    assert str(caught.value).endswith("Run the campaign again.")


def test_a_damaged_and_a_missing_and_a_foreign_table_are_refused(tmp_path: Path) -> None:
    filled(tmp_path).finish()
    table = tmp_path / "a" / "runs.parquet"
    table.write_bytes(b"PAR1 nonsense")
    with pytest.raises(
        ResultsError, match=r"runs\.parquet cannot be read \(.*\)\. Run the campaign again\.$"
    ):
        ResultStore.open(tmp_path / "a")
    polars.DataFrame({"run": ["a"], "seed": ["text"]}).write_parquet(table)
    with pytest.raises(ResultsError) as caught:
        ResultStore.open(tmp_path / "a")
    assert str(caught.value) == (
        f"{table} lacks scenario, target, build, seed, verdict, digest, steps, virtual_us, wall_us "
        "(or holds another type there): it is not a table of this version. Run the campaign again."
    )
    table.unlink()
    with pytest.raises(ResultsError) as caught:
        ResultStore.open(tmp_path / "a")
    assert (
        str(caught.value)
        == f"{table} is missing: a finished results folder holds it. Run the campaign again."
    )


def test_a_folder_opened_for_reading_refuses_to_be_written(tmp_path: Path) -> None:
    filled(tmp_path)
    with pytest.raises(ResultsError) as caught:
        ResultStore.open(tmp_path / "a").add_run(run("lost_reply-3"), {})
    assert (
        str(caught.value) == f"{tmp_path}/a is open for reading only. Make a new one with ResultStore.create."
    )


def test_mistakes_of_the_caller_are_value_errors(tmp_path: Path) -> None:
    store = filled(tmp_path)
    with pytest.raises(ValueError, match=r"^run 'lost_reply-1' is recorded already: a run has one row\."):
        store.add_run(run("lost_reply-1"), {})
    with pytest.raises(
        ValueError, match=r"^seed 9223372036854775808 of run 'z' does not fit into 64 bits, sign incl"
    ):
        store.add_run(run("z", seed=2**63), {})
    with pytest.raises(
        ValueError, match=r"^run 'nowhere' has no row: record the run before its violations\.$"
    ):
        store.add_violation(violation("nowhere"))
    with pytest.raises(
        ValueError, match=r"^verdict 'green' does not exist: it is one of pass, inconclusive, fail, error\.$"
    ):
        store.add_run(run("x", verdict="green"), {})  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=r"^outcome 'ok' does not exist: it is one of held, violated, not_exercised\.$"
    ):
        store.add_run(run("y"), {"charged_once": "ok"})  # type: ignore[dict-item]


def test_a_violation_makes_its_invariant_violated_in_that_run(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.add_violation(violation("lost_reply-1"))
    assert store.counts()[0] == InvariantCount(
        "lost_reply", "charged_once", held=0, violated=2, not_exercised=0
    )


def test_latest_points_to_the_folder_made_last(tmp_path: Path) -> None:
    filled(tmp_path, "a")
    filled(tmp_path, "b").finish()
    assert os.readlink(tmp_path / "latest") == "b"
    assert ResultStore.open(tmp_path / "latest").manifest.id == "b"


def test_latest_is_a_text_file_where_links_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(folder_module.Path, "symlink_to", refused)
    filled(tmp_path, "a")
    filled(tmp_path, "b").save_failure("x.json", "{}")
    assert (tmp_path / "latest").read_text() == "b\n"
    assert ResultStore.open(tmp_path / "latest").manifest.id == "b"
    assert resolve(tmp_path / "latest" / "failures" / "x.json") == tmp_path / "b" / "failures" / "x.json"


def test_a_folder_in_the_place_of_latest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    with pytest.raises(ResultsError) as caught:
        filled(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/latest is a folder: it must be free to point to the newest results. Move it away."
    )


def test_reading_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    filled(tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    ResultStore.open(tmp_path / "a")
    assert {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()} == before


def test_the_package_can_be_imported_without_loading_polars() -> None:
    program = "import results.store, results.parquet, sys; sys.exit('polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=30).returncode == 0
