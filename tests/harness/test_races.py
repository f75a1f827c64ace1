"""Racing pairs: what races, what cannot, and what does not matter."""

from harness.history import Delivery
from harness.names import parse_name
from harness.plan import Constraint
from harness.search.races import changes_nothing, find_races
from harness.search.recorded_order import differences, follows, full_order


def run(*lines):
    """Deliveries from ``(sent_ms, at_ms, name)``; what goes to a store speaks its protocol."""
    protocols = {"postgres": "postgres", "redis": "resp"}
    made = []
    for sent_ms, at_ms, text in lines:
        name = parse_name(text)
        made.append(Delivery(name, protocols.get(name.destination, "http"), sent_ms * 1_000, at_ms * 1_000))
    return made


def pairs(deliveries, limit=None):
    return [(race.first, race.second) for race in find_races(deliveries, limit)]


def test_writes_of_two_clients_to_one_table_race():
    deliveries = run((0, 1, "api>postgres UPDATE orders#1"), (0, 2, "worker>postgres UPDATE orders#1"))
    assert pairs(deliveries) == [("api>postgres UPDATE orders#1", "worker>postgres UPDATE orders#1")]


def test_statements_on_different_tables_do_not_race_but_a_commit_races_with_both():
    deliveries = run(
        (0, 1, "api>postgres UPDATE orders#1"),
        (0, 2, "worker>postgres UPDATE stock#1"),
        (0, 3, "mailer>postgres COMMIT#1"),
    )
    assert pairs(deliveries) == [
        ("api>postgres UPDATE orders#1", "mailer>postgres COMMIT#1"),
        ("worker>postgres UPDATE stock#1", "mailer>postgres COMMIT#1"),
    ]


def test_a_message_never_races_with_one_that_it_caused():
    deliveries = run(
        (0, 1, "api>postgres SELECT orders#1"),
        (1, 2, "api>postgres SELECT orders#1.reply"),
        (2, 3, "api>postgres UPDATE orders#1"),
    )
    assert pairs(deliveries) == []


def test_two_sessions_of_one_process_race_although_their_link_is_the_same():
    deliveries = run(
        (0, 1, "a>api POST /buy#1"),
        (1, 2, "b>api POST /buy#1"),
        (1, 2, "api>postgres UPDATE stock#1"),
        (2, 3, "api>postgres UPDATE stock#2"),
    )
    assert ("api>postgres UPDATE stock#1", "api>postgres UPDATE stock#2") in pairs(deliveries)


def test_simultaneous_answers_are_told_apart_by_their_order():
    deliveries = run(
        (0, 1, "api>postgres SELECT stock#1"),
        (0, 1, "api>postgres SELECT stock#2"),
        (1, 2, "api>postgres SELECT stock#1.reply"),
        (1, 2, "api>postgres SELECT stock#2.reply"),
        (2, 3, "api>postgres UPDATE stock#1"),
        (2, 3, "api>postgres UPDATE stock#2"),
    )
    found = pairs(deliveries)
    assert ("api>postgres SELECT stock#2", "api>postgres UPDATE stock#1") in found
    assert ("api>postgres SELECT stock#1", "api>postgres UPDATE stock#1") not in found
    assert ("api>postgres SELECT stock#2", "api>postgres UPDATE stock#2") not in found


def test_a_callback_races_with_the_answer_that_it_may_overtake():
    deliveries = run(
        (0, 1, "api>provider POST /charges#1"),
        (1, 2, "api>provider POST /charges#1.reply"),
        (9, 10, "provider>api paid#1"),
    )
    assert pairs(deliveries) == [("api>provider POST /charges#1.reply", "provider>api paid#1")]


def test_polls_of_one_worker_do_not_race_with_each_other():
    deliveries = run(
        (0, 1, "worker>postgres SELECT outbox#1"),
        (1, 2, "worker>postgres SELECT outbox#1.reply"),
        (500, 501, "worker>postgres SELECT outbox#2"),
    )
    assert pairs(deliveries) == []


def test_two_reads_of_a_key_do_not_race_and_a_write_does():
    deliveries = run(
        (0, 1, "api>redis GET corr:*#1"),
        (0, 1, "worker>redis GET corr:*#1"),
        (0, 1, "mailer>redis SET corr:*#1"),
    )
    assert pairs(deliveries) == [
        ("api>redis GET corr:*#1", "mailer>redis SET corr:*#1"),
        ("worker>redis GET corr:*#1", "mailer>redis SET corr:*#1"),
    ]


def test_a_limit_keeps_what_matters_most_in_first_seen_order():
    deliveries = run(
        (0, 1, "api>postgres SELECT orders#1"),
        (0, 1, "worker>postgres SELECT orders#1"),
        (0, 1, "api>postgres UPDATE stock#1"),
        (0, 1, "worker>postgres UPDATE stock#1"),
    )
    assert pairs(deliveries, 1) == [("api>postgres UPDATE stock#1", "worker>postgres UPDATE stock#1")]


def test_differences_are_the_racing_pairs_that_came_the_other_way_round():
    fifo = run((0, 1, "a>p POST /x#1"), (0, 2, "b>p POST /x#1"), (0, 3, "c>p POST /x#1"))
    recorded = [fifo[0], fifo[2], fifo[1]]
    assert differences(recorded, fifo) == (Constraint("c>p POST /x#1", "b>p POST /x#1"),)


def test_messages_that_only_the_recorded_run_knows_are_compared_by_sending():
    recorded = run((5, 6, "a>p POST /x#2"), (3, 7, "b>p POST /x#1"))
    assert differences(recorded, []) == (Constraint("a>p POST /x#2", "b>p POST /x#1"),)


def test_the_full_order_is_a_chain_per_receiver():
    recorded = run((0, 1, "a>p POST /x#1"), (0, 2, "b>p POST /x#1"), (1, 3, "a>p POST /x#1.reply"))
    chain = full_order(recorded)
    assert chain == (Constraint("a>p POST /x#1", "b>p POST /x#1"),)
    assert follows(recorded, chain)
    assert not follows(recorded[::-1], chain)
    assert not follows(recorded[:1], chain)


def test_a_read_that_locks_rows_is_no_mere_read_and_preparing_is_no_statement():
    deliveries = run(
        (0, 1, "api>postgres SELECT jobs FOR UPDATE#1"),
        (0, 1, "worker>postgres SELECT jobs FOR UPDATE SKIP LOCKED#1"),
        (0, 1, "mailer>postgres PREPARE UPDATE jobs#1"),
        (0, 1, "other>postgres SELECT orders FOR UPDATE#1"),
    )
    (race,) = find_races(deliveries)
    assert (race.first, race.rank) == ("api>postgres SELECT jobs FOR UPDATE#1", 0)


def test_what_changes_nothing_is_told_by_protocol_and_kind():
    answers = {
        text: changes_nothing(parse_name(f"{text}#1"), protocol)
        for text, protocol in [
            ("api>postgres SELECT orders", "postgres"),
            ("api>postgres BEGIN", "postgres"),
            ("api>postgres COMMIT", "postgres"),
            ("api>redis SET corr:*", "resp"),
            ("api>redis GET corr:*", "resp"),
            ("customer>api GET /orders", "http"),
        ]
    }
    assert [text for text, answer in answers.items() if answer] == [
        "api>postgres SELECT orders",
        "api>postgres BEGIN",
        "api>redis GET corr:*",
    ]


def test_a_message_on_a_new_connection_is_still_caused_by_what_came_before_it_was_opened():
    deliveries = run(
        (0, 1, "api>postgres INSERT orders#1"),
        (1, 2, "api>postgres INSERT orders#1.reply"),
        (3, 4, "api>provider POST /charges#1"),
        (4, 5, "api>provider POST /charges#1.reply"),
    )
    assert pairs(deliveries) == []


def test_what_a_timer_of_a_reactive_node_sends_is_caused_by_all_that_it_had_to_receive_first():
    deliveries = run(
        (0, 1, "customer>api POST /buy#1"),
        (1, 2, "api>provider POST /charges#1"),
        (2, 3, "api>provider POST /charges#1.reply"),
        (90, 91, "provider>api paid#1"),
    )
    assert pairs(deliveries) == [("api>provider POST /charges#1.reply", "provider>api paid#1")]


def test_a_node_that_speaks_first_owes_nothing_to_what_it_hears():
    deliveries = run(
        (0, 1, "worker>queue POST /poll#1"),
        (1, 2, "worker>queue POST /poll#1.reply"),
        (0, 2, "api>store POST /put#1"),
        (90, 91, "worker>store POST /put#1"),
    )
    assert pairs(deliveries) == [("api>store POST /put#1", "worker>store POST /put#1")]


def test_a_process_that_asks_one_question_at_a_time_is_one_thread_even_across_its_naps():
    deliveries = run(
        (0, 1, "worker>queue POST /poll#1"),
        (1, 2, "worker>queue POST /poll#1.reply"),
        (2, 3, "worker>store POST /put#1"),
        (3, 4, "worker>store POST /put#1.reply"),
        (900, 901, "worker>queue POST /poll#2"),
        (901, 902, "worker>queue POST /poll#2.reply"),
    )
    assert pairs(deliveries) == []
