"""What a person sees while a campaign runs: one live line on a terminal, a line every ten seconds in a log."""

import io
from typing import Any

import pytest

from harness.campaign import progress
from harness.campaign.findings import Findings
from harness.campaign.job import Subject
from harness.campaign.progress import Progress
from harness.errors import HarnessError, InfrastructureError
from harness.events import FailureShrunk
from harness.fault import fault
from harness.plan import Plan
from harness.reproducer import Reproducer

SUBJECT = Subject("shop", "old", "lost_reply")
SECOND_US = 1_000_000


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    us = 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "monotonic_us", lambda: clock.us)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return clock


class Standing:
    """A campaign as far as Progress looks at one."""

    def __init__(self) -> None:
        done, busy = Findings(SUBJECT, {}), Findings(SUBJECT, {})
        done.runs, done.is_finished = 300, True
        busy.runs, busy.shrink_runs = 12, 8
        self.findings = {1: done, 2: busy}
        self.schedule = type("Schedule", (), {"time_left_us": 41 * SECOND_US})()


STANDING: Any = Standing()
LINE = "1 of 2 scenarios, 312 runs, 64 runs/s, 0 failures, at most 41 s left"


def test_a_terminal_has_one_live_line_that_is_taken_away_at_the_end(clock: Clock) -> None:
    stream = Terminal()
    shown = Progress(stream, 1)
    clock.us = 5 * SECOND_US
    shown.tick(STANDING)
    assert stream.getvalue() == f"\r\x1b[K    5 s  {LINE}"
    shown.done()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_a_log_has_one_line_every_ten_seconds(clock: Clock) -> None:
    stream = io.StringIO()
    shown = Progress(stream, 1)
    for second in (1, 9, 10, 11, 19):
        clock.us = second * SECOND_US
        shown.tick(STANDING)
    assert (
        stream.getvalue() == "   10 s  1 of 2 scenarios, 312 runs, 32 runs/s, 0 failures, at most 41 s left\n"
    )


def shrunk(reproduced: int) -> FailureShrunk:
    plan = Plan(1, faults=(fault("lost_reply", "a>b X#1.reply"),))
    found = Reproducer("shop", "old", "lost_reply", "paid_once", "o-1", "Twice.", plan, "d", 7, 14, 3)
    return FailureShrunk(found, 14, "abcd", 20, reproduced, 3)


def test_each_new_failure_is_told_once_with_its_size(clock: Clock) -> None:
    stream = io.StringIO()
    shown = Progress(stream, 1)
    clock.us = 3 * SECOND_US
    shown.failure(SUBJECT, shrunk(3))
    shown.failure(SUBJECT, shrunk(1))
    assert stream.getvalue() == (
        "    3 s  ✗ paid_once · lost_reply   run 14, 1 fault\n"
        "    3 s  ✗ paid_once · lost_reply   run 14, 1 fault, reproduced 1/3\n"
    )


def test_quiet_says_nothing_and_verbose_tells_the_end_of_each_scenario(clock: Clock) -> None:
    findings = Findings(SUBJECT, {})
    findings.runs = 12
    said = []
    for level in (0, 1, 2):
        stream = io.StringIO()
        shown = Progress(stream, level)
        shown.scenario_ended(findings)
        said.append(stream.getvalue())
    assert said == ["", "", "    0 s  · lost_reply   12 runs\n"]


def test_a_bug_of_ours_shows_its_traceback_once(clock: Clock) -> None:
    stream = io.StringIO()
    shown = Progress(stream, 1)
    findings = Findings(SUBJECT, {})
    findings.error = HarnessError("Traceback …\nKeyError: 'lane'")
    shown.scenario_ended(findings)
    shown.scenario_ended(findings)
    line = "    0 s  ! lost_reply   a bug of ours, KeyError: 'lane'\n"
    assert stream.getvalue() == f"{line}Traceback …\nKeyError: 'lane'\n{line}"
    findings.error = InfrastructureError("no disk.")
    shown.scenario_ended(findings)
    assert stream.getvalue().endswith("    0 s  ! lost_reply   no disk.\n")
