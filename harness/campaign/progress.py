"""Progress for a person: one live line on a terminal, a line every ten seconds in a log, and each new failure
once.
"""

import os
import shutil
from typing import TextIO

from harness.campaign.campaign import Campaign
from harness.campaign.findings import Findings
from harness.campaign.job import Subject
from harness.errors import HarnessError
from harness.events import FailureShrunk
from harness.realtime import monotonic_us
from harness.story.words import in_one_line, traceback_of
from results.summary import plan_size
from results.text import count, shorten

SECOND_US = 1_000_000
LOG_EVERY_US = 10 * SECOND_US
CLEAR_LINE = "\r\x1b[K"


class Progress:
    """A campaign's `Watcher`. level: 0 says nothing, 1 shows the line and the failures, 2 each scenario's end
    too.
    """

    def __init__(self, stream: TextIO, level: int) -> None:
        self._stream = stream
        self._level = level
        self._is_live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._begun_us = monotonic_us()
        self._logged_us = self._begun_us
        self._last_line = ""
        self._bugs: set[str] = set()

    def tick(self, campaign: Campaign) -> None:
        if self._level == 0:
            return
        now_us = monotonic_us()
        if self._is_live:
            self._show(status_line(campaign, now_us - self._begun_us))
        elif now_us - self._logged_us >= LOG_EVERY_US:
            self._logged_us = now_us
            self._print(status_line(campaign, now_us - self._begun_us))

    def failure(self, subject: Subject, event: FailureShrunk) -> None:
        plan = event.reproducer.plan
        size = plan_size(len(plan.faults), len(plan.constraints))
        flaky = f", reproduced {event.reproduced}/{event.times}" if event.is_flaky else ""
        self._tell(
            f" {self._since()}  ✗ {event.reproducer.invariant} · {subject.scenario}"
            f"   run {event.number}, {size}{flaky}"
        )

    def scenario_ended(self, findings: Findings) -> None:
        if findings.error:
            text = in_one_line(findings.error)
            self._tell(f" {self._since()}  ! {findings.subject.scenario}   {text}")
            if isinstance(findings.error, HarnessError) and text not in self._bugs:
                self._bugs.add(text)
                self._print(traceback_of(findings.error))
        elif self._level > 1:
            self._tell(f" {self._since()}  · {findings.subject.scenario}   {count(findings.runs, 'run')}")

    def done(self) -> None:
        """Takes the live line away."""
        if self._last_line:
            self._stream.write(CLEAR_LINE)
            self._stream.flush()
            self._last_line = ""

    def _tell(self, line: str) -> None:
        if self._level > 0:
            self.done()
            self._print(line)

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)

    def _show(self, line: str) -> None:
        line = shorten(line, shutil.get_terminal_size().columns - 1)
        if line != self._last_line:
            self._stream.write(CLEAR_LINE + line)
            self._stream.flush()
            self._last_line = line

    def _since(self) -> str:
        return f"{(monotonic_us() - self._begun_us) / SECOND_US:4.0f} s"


def status_line(campaign: Campaign, since_us: int) -> str:
    """Scenarios done, runs, runs a second, failures, and the time left when there is a budget of time."""
    everything = list(campaign.findings.values())
    ended = sum(1 for findings in everything if findings.is_finished or findings.error)
    runs = sum(findings.runs for findings in everything)
    tries = runs + sum(findings.shrink_runs for findings in everything)
    speed = tries * SECOND_US / max(since_us, 1)
    failures = sum(len(findings.failures) for findings in everything)
    parts = [
        f"{ended} of {count(len(everything), 'scenario')}",
        count(runs, "run"),
        f"{speed:.0f} runs/s" if speed >= 10 else f"{speed:.1f} runs/s",
        count(failures, "failure"),
    ]
    left_us = campaign.schedule.time_left_us
    if left_us is not None:
        parts.append(f"at most {left_us / SECOND_US:.0f} s left")
    return f" {since_us / SECOND_US:4.0f} s  {', '.join(parts)}"
