"""junit.xml: a test suite per scenario, a test case per invariant, for CI systems that show nothing else.

A violation is a failure with its sentence, an idle invariant is skipped, a scenario with errors has an error.
"""

import re
from xml.etree import ElementTree

from results.record import InvariantCount
from results.report import plan_lines
from results.summary import CampaignSummary, FailureSummary, ScenarioSummary

# What XML 1.0 cannot carry, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(summary: CampaignSummary) -> str:
    """The whole file, as text."""
    suites = ElementTree.Element("testsuites", name=_text(f"paychaos {summary.target}:{summary.build}"))
    for scenario in summary.scenarios:
        _add_suite(suites, scenario, summary)
    for name in ("tests", "failures", "errors"):
        suites.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    suites.set("time", f"{summary.wall_us / 1_000_000:.3f}")
    ElementTree.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(suites, encoding="unicode")}\n'


def _add_suite(suites: ElementTree.Element, scenario: ScenarioSummary, summary: CampaignSummary) -> None:
    suite = ElementTree.SubElement(suites, "testsuite", name=_text(scenario.name))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("seed", summary.seed), ("runs", scenario.runs)):
        ElementTree.SubElement(properties, "property", name=name, value=str(value))
    failures = [failure for failure in summary.failures if failure.scenario == scenario.name]
    for one in scenario.invariants:
        _add_case(suite, one, [failure for failure in failures if failure.invariant == one.invariant])
    if scenario.errors:
        case = ElementTree.SubElement(suite, "testcase", classname=_text(scenario.name), name="runs")
        ElementTree.SubElement(
            case, "error", message=_text(f"{scenario.errors} runs ended in an error: {scenario.note}")
        )
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))


def _add_case(suite: ElementTree.Element, one: InvariantCount, failures: list[FailureSummary]) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=_text(one.scenario), name=_text(one.invariant))
    if failures or one.violated:
        unshrunk = f"violated in {one.violated:,} of {one.exercised:,} runs, not shrunk here"
        message = failures[0].sentence if failures else unshrunk
        element = ElementTree.SubElement(case, "failure", message=_text(message), type=_text(one.invariant))
        element.text = _text("\n\n".join(_account(failure) for failure in failures))
    elif not one.exercised:
        ElementTree.SubElement(case, "skipped", message="not exercised")


def _account(failure: FailureSummary) -> str:
    return "\n".join([failure.sentence, *plan_lines(failure), f"  Replay:  paychaos replay {failure.replay}"])


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
