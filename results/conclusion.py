"""What a campaign comes to: one sentence and the exit code of the command line."""

from typing import NamedTuple

from results.summary import CampaignSummary
from results.text import count


class Conclusion(NamedTuple):
    """`verdict` starts the sentence; `because` is the fact that decided."""

    exit_code: int
    verdict: str
    because: str

    def __str__(self) -> str:
        return f"Verdict: {self.verdict}. {self.because} (exit {self.exit_code})."


def conclude(summary: CampaignSummary) -> Conclusion:
    """The first that applies, from what is certain to what is missing.

    130 interrupted, 1 a violation that reproduces, 3 the campaign itself broke, 5 only violations that do not
    reproduce, 3 inconclusive runs, 4 nothing was put to the test, 0 nothing to object to.
    """
    invariants = summary.invariants()
    violated = {failure.invariant for failure in summary.failures if failure.confirmed}
    unconfirmed = {one.invariant for one in invariants if one.violated} - violated
    errors = sum(scenario.errors for scenario in summary.scenarios)
    inconclusive = sum(scenario.inconclusive for scenario in summary.scenarios)
    exercised = [one for one in invariants if one.exercised]
    found = f"{len(violated)} of {count(len(invariants), 'invariant')} violated"
    runs = count(summary.runs, "run")
    if summary.interrupted:
        verdict = "do not ship" if violated else "none"
        return Conclusion(130, verdict, f"Interrupted after {runs}, {found} by then")
    if violated:
        return Conclusion(1, "do not ship", found)
    if summary.problems:
        return Conclusion(3, "none", summary.problems[0].rstrip("."))
    if errors:
        return Conclusion(3, "none", f"{errors:,} of {runs} ended in an error")
    if unconfirmed:
        return Conclusion(5, "none", f"{count(len(unconfirmed), 'violation')} seen, but not reproduced")
    if inconclusive:
        return Conclusion(3, "none", f"{inconclusive:,} of {runs} came to no conclusion")
    if not exercised:
        return Conclusion(4, "none", f"{runs} put no invariant to the test")
    if len(exercised) < len(invariants):
        held = (
            f"{len(exercised)} of {count(len(invariants), 'invariant')} held in {runs}, the others were idle"
        )
        return Conclusion(0, "nothing found", held)
    return Conclusion(0, "nothing found", f"{count(len(invariants), 'invariant')} held in {runs}")
