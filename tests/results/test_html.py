"""report.html is one well-formed file, loads nothing, escapes everything, and draws each failure."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

from results.html.page import render_html
from results.html.sequence import render_sequence
from results.ledger import Ledger, LedgerLine
from results.record import CoverageRecord, InvariantCount
from results.rows import RowChange
from results.story import Removal, Story
from results.summary import CampaignSummary, FailureSummary, FaultLine, ScenarioSummary
from results.timeline import Entry

EVIL = '<script>alert("x")</script>&\x1b[31m'
VOID = {"meta", "br", "hr", "img", "link", "input"}

TIMELINE = (
    Entry(0, "customer-1", "POST /checkout", "api"),
    Entry(6_000, "api", "POST /v1/payment_intents", "provider"),
    Entry(212_000, "provider", "charge ch_1 succeeded"),
    Entry(212_000, "provider", "reply lost", "api", "fault", note="applied"),
    *(Entry(300_000 + i, "worker", "LPOP", "redis", fold="the worker's poll") for i in range(12)),
    Entry(400_000, "provider", "succeeded#1 waits", "api", "held"),
    Entry(500_000, "api", "crash", mark="fault"),
    Entry(None, "duplicate_charge", "2 successful charges", mark="violation"),
)


def campaign(word: str) -> tuple[CampaignSummary, Story]:
    """A campaign and a story in which every text a target could influence is `word`."""
    failure = FailureSummary(
        word, word, word, word, word, (FaultLine(word, word),), (word,), 5, 3, word, 2, 3, word, word, 0, word
    )
    counts = (InvariantCount(word, word, 1, 2, 3),)
    scenario = ScenarioSummary(word, 6, counts, errors=1, note=word)
    coverage = (CoverageRecord(word, word, word, 1, 1),)
    summary = CampaignSummary(
        "0.1",
        7,
        word,
        word,
        word,
        word,
        2,
        (scenario,),
        (failure,),
        coverage,
        1_000_000,
        word,
        problems=(word,),
    )
    row = RowChange(0, word, word, "update", {word: word}, {word: word + "2"}, word)
    timeline = (Entry(0, word, word, word, "fault", word), Entry(None, word, word, mark="violation"))
    ledger = Ledger(word, word, (LedgerLine(word, word, word, agrees=False),))
    return summary, Story(failure, word, word, timeline, (row,), ledger, (word,), (Removal(word, word),))


class Balance(HTMLParser):
    """Collects the open elements and complains about the first that is closed out of turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(page: str) -> Balance:
    balance = Balance()
    balance.feed(page)
    balance.close()
    assert balance.open == []
    return balance


def test_the_page_is_balanced_and_loads_nothing() -> None:
    summary, story = campaign("word")
    page = render_html(summary, [story])
    assert not {"script", "link", "img", "iframe"} & set(parsed(page).seen)
    assert re.findall(r"https?:|src=|href=|url\(|@import", page) == []


def test_whatever_a_target_says_stays_text() -> None:
    summary, story = campaign(EVIL)
    page = render_html(summary, [story])
    balance = parsed(page)
    assert "script" not in balance.seen
    assert "\x1b" not in page
    assert '<script>alert("x")</script>&\\x1b[31m' in balance.words


def test_the_page_tells_the_verdict_the_failure_and_its_evidence() -> None:
    summary, story = campaign("word")
    words = " ".join(parsed(render_html(summary, [story])).words)
    for said in (
        "Is word:word safe to ship?",
        "Verdict: none. word (exit 3).",
        "word · run word · 1 fault, 1 constraint, reproduced 2/3",
        "It takes one fault and one ordering constraint (of the 5 faults in the first failing plan):",
        "word, as its rows changed",
        "word: word → word2",
        "The nearest passing run differs in",
        "Without one part of the plan",
        "Reproduced 2/3. The first event that differed: word",
        "paychaos replay word",
        "Fault coverage",
    ):
        assert said in words


def test_a_failure_without_a_story_has_no_diagram() -> None:
    summary, story = campaign("word")
    assert "<svg" not in render_html(summary)
    assert "<svg" not in render_html(
        summary, [replace(story, failure=replace(story.failure, signature="other"))]
    )
    assert render_html(summary, [story]).count("<svg") == 1


def diagram(entries: tuple[Entry, ...]) -> ElementTree.Element:
    return ElementTree.fromstring(render_sequence(entries))


def test_the_diagram_has_a_lane_for_each_node_in_order_of_appearance() -> None:
    svg = diagram(TIMELINE)
    assert [node.text for node in svg.findall("text[@class='node']")] == ["customer-1", "api", "provider"]
    lanes = [int(lane.get("x1", "")) for lane in svg.findall("line[@class='lane']")]
    assert lanes == sorted(set(lanes))
    assert len(lanes) == 3


def test_the_diagram_has_a_row_for_each_line_with_its_kind_time_and_words() -> None:
    rows = [
        (row.get("class"), row.findtext("text[@class='time']"), row.findtext("text[@class='words']/tspan"))
        for row in diagram(TIMELINE).findall("g")
    ]
    assert rows == [
        ("none", "0.000", "POST /checkout"),
        ("none", "0.006", "POST /v1/payment_intents"),
        ("none", "0.212", "charge ch_1 succeeded"),
        ("fault", "0.212", "reply lost   ← applied"),
        ("folded", "0.300", "… 12 messages of the worker's poll"),
        ("held", "0.400", "succeeded#1 waits"),
        ("fault", "0.500", "crash"),
        ("violation", "", "✗ duplicate_charge: 2 successful charges"),
    ]


def test_an_arrow_runs_from_the_senders_lane_to_the_receivers() -> None:
    svg = diagram(TIMELINE)
    customer, api, provider = (int(lane.get("x1", "")) for lane in svg.findall("line[@class='lane']"))
    arrows = [row.find("line[@class='arrow']") for row in svg.findall("g")]
    heads = [row.find("path[@class='head']") for row in svg.findall("g")]
    drawn = [
        (int(arrow.get("x1", "")), int(head.get("d", "").split()[0].removeprefix("M")))
        for arrow, head in zip(arrows, heads, strict=True)
        if arrow is not None and head is not None
    ]
    assert drawn == [(customer, api), (api, provider), (provider, api), (provider, api)]
    assert len(svg.findall("g/circle[@class='dot']")) == 2


def test_a_long_text_goes_on_below_itself_and_makes_its_row_higher() -> None:
    long = diagram((Entry(0, "api", "word " * 40, "provider"), Entry(1, "api", "next", "provider")))
    short = diagram((Entry(0, "api", "word", "provider"), Entry(1, "api", "next", "provider")))
    assert len(long.findall("g")[0].findall("text/tspan")) == 4
    assert int(long.get("height", "")) > int(short.get("height", ""))
    ys = [int(tspan.get("y", "")) for tspan in long.findall("g/text/tspan")]
    assert ys == sorted(set(ys))


def test_a_long_node_name_is_cut_and_kept_whole_in_its_title() -> None:
    node = diagram((Entry(0, "a-very-long-node-name", "x", "api"),)).findall("text[@class='node']")[0]
    assert (node.text, node.findtext("title")) == ("a-very-long-…", "a-very-long-node-name")
