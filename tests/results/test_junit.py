"""junit.xml is well formed, has a case per invariant, and says failure, error and skipped where they belong."""

from xml.etree import ElementTree

from results.junit import render_junit
from results.record import InvariantCount
from results.summary import CampaignSummary, FailureSummary, FaultLine, ScenarioSummary

FAILURE = FailureSummary(
    invariant="charged_once",
    scenario="lost_reply",
    entity="o-1",
    signature="s",
    sentence='Order "o-1" <twice> & \x1b again.',
    faults=(FaultLine("lose the reply", "api>provider POST /v1/payment_intents#1.reply"),),
    constraints=(),
    first_plan_faults=1,
    runs=1,
    first_run="lost_reply-1",
    reproduced=3,
    attempts=3,
    explain="e",
    replay="runs/latest/failures/x.json",
)
CAMPAIGN = CampaignSummary(
    version="0.1",
    seed=7,
    target="checkout",
    build="staging",
    world="simulated world",
    infrastructure="PostgreSQL 18.4",
    workers=1,
    scenarios=(
        ScenarioSummary(
            "lost_reply",
            10,
            (
                InvariantCount("lost_reply", "charged_once", 9, 1, 0),
                InvariantCount("lost_reply", "settles", 10, 0, 0),
                InvariantCount("lost_reply", "stock_once", 8, 2, 0),
            ),
        ),
        ScenarioSummary(
            "flat", 5, (InvariantCount("flat", "settles", 0, 0, 5),), errors=2, note="step limit"
        ),
    ),
    failures=(FAILURE,),
    coverage=(),
    wall_us=1_500_000,
    folder="runs/latest",
)


def test_the_file_of_a_campaign() -> None:
    assert render_junit(CAMPAIGN) == (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<testsuites name="paychaos checkout:staging" tests="5" failures="2" errors="1" time="1.500">\n'
        '  <testsuite name="lost_reply" tests="3" failures="2" errors="0" skipped="0">\n'
        "    <properties>\n"
        '      <property name="seed" value="7" />\n'
        '      <property name="runs" value="10" />\n'
        "    </properties>\n"
        '    <testcase classname="lost_reply" name="charged_once">\n'
        '      <failure message="Order &quot;o-1&quot; &lt;twice&gt; &amp; \ufffd again." type="charged_once">'
        'Order "o-1" &lt;twice&gt; &amp; \ufffd again.\n'
        "  It takes one fault:\n"
        "    lose the reply   api&gt;provider POST /v1/payment_intents#1.reply\n"
        "  Replay:  paychaos replay runs/latest/failures/x.json</failure>\n"
        "    </testcase>\n"
        '    <testcase classname="lost_reply" name="settles" />\n'
        '    <testcase classname="lost_reply" name="stock_once">\n'
        '      <failure message="violated in 2 of 10 runs, not shrunk here" type="stock_once" />\n'
        "    </testcase>\n"
        "  </testsuite>\n"
        '  <testsuite name="flat" tests="2" failures="0" errors="1" skipped="1">\n'
        "    <properties>\n"
        '      <property name="seed" value="7" />\n'
        '      <property name="runs" value="5" />\n'
        "    </properties>\n"
        '    <testcase classname="flat" name="settles">\n'
        '      <skipped message="not exercised" />\n'
        "    </testcase>\n"
        '    <testcase classname="flat" name="runs">\n'
        '      <error message="2 runs ended in an error: step limit" />\n'
        "    </testcase>\n"
        "  </testsuite>\n"
        "</testsuites>\n"
    )


def test_the_file_is_well_formed_whatever_a_failure_says() -> None:
    suites = ElementTree.fromstring(render_junit(CAMPAIGN).encode())
    assert suites.find("testsuite/testcase/failure").get("message") == 'Order "o-1" <twice> & \ufffd again.'  # type: ignore[union-attr]
