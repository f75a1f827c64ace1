"""The Redis protocol reader: cuts, kinds, pushes and what belongs to which request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import Frame, WireError
from harness.wire.resp import RespConversation, read_command, value_end
from harness.wire.resp_kind import command_kind, normalised_key


def asked(*words: str | bytes) -> bytes:
    parts = [word if isinstance(word, bytes) else word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def kinds(frames: list[Frame]) -> list[str]:
    return [frame.kind for frame in frames]


def conversation(*requests: bytes) -> RespConversation:
    fresh = RespConversation()
    for request in requests:
        fresh.from_client(request)
    return fresh


def test_each_command_of_a_pipeline_is_a_request() -> None:
    sent = asked("MULTI") + asked("SET", "corr:42", "x") + asked("EXEC")
    frames = RespConversation().from_client(sent)
    assert kinds(frames) == ["MULTI", "SET corr:*", "EXEC"]
    assert b"".join(frame.data for frame in frames) == sent
    assert all(frame.answered and not frame.push for frame in frames)


def test_a_reply_carries_the_kind_of_its_request() -> None:
    talk = conversation(asked("SET", "corr:42", "x"), asked("GET", "corr:42"))
    frames = talk.from_server(b"+OK\r\n$1\r\nx\r\n")
    assert frames == [
        Frame("SET corr:*", b"+OK\r\n", answered=False),
        Frame("GET corr:*", b"$1\r\nx\r\n", answered=False),
    ]


@given(
    st.lists(st.lists(st.binary(max_size=12), min_size=1, max_size=4), min_size=1, max_size=5),
    st.integers(1, 9),
)
def test_requests_are_the_same_however_the_bytes_arrive(commands: list[list[bytes]], step: int) -> None:
    sent = b"".join(asked(b"GET", *words) for words in commands)
    whole = RespConversation().from_client(sent)
    talk = RespConversation()
    pieces = [frame for at in range(0, len(sent), step) for frame in talk.from_client(sent[at : at + step])]
    assert pieces == whole
    assert len(whole) == len(commands)
    assert b"".join(frame.data for frame in whole) == sent


@pytest.mark.parametrize(
    "value",
    [
        b"+OK\r\n",
        b"-ERR no\r\n",
        b":12\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"$0\r\n\r\n",
        b"$4\r\n\r\n\r\n\r\n",
        b"*0\r\n",
        b"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
        b"_\r\n",
        b",1.5\r\n",
        b"#t\r\n",
        b"(12345678901234567890\r\n",
        b"=5\r\ntxt:x\r\n",
        b"!5\r\nERR x\r\n",
        b"%1\r\n+k\r\n:1\r\n",
        b"~2\r\n:1\r\n:2\r\n",
        b"|1\r\n+ttl\r\n:5\r\n$1\r\nx\r\n",
    ],
)
def test_every_type_of_answer_is_cut_where_it_ends(value: bytes) -> None:
    assert value_end(value, 0) == len(value)
    assert all(value_end(value[:cut], 0) is None for cut in range(len(value)))
    talk = conversation(asked("GET", "a"), asked("GET", "b"))
    assert kinds(talk.from_server(value + b"+OK\r\n")) == ["GET a", "GET b"]


def test_a_subscription_is_confirmed_by_one_reply() -> None:
    talk = conversation(asked("SUBSCRIBE", "orders:1", "orders:2"))
    first = b"*3\r\n$9\r\nsubscribe\r\n$8\r\norders:1\r\n:1\r\n"
    second = b"*3\r\n$9\r\nsubscribe\r\n$8\r\norders:2\r\n:2\r\n"
    assert talk.from_server(first) == []
    assert talk.from_server(second) == [Frame("SUBSCRIBE orders:*", first + second, answered=False)]


@pytest.mark.parametrize("mark", [b"*", b">"])
def test_a_published_message_is_a_push(mark: bytes) -> None:
    talk = conversation(asked("HELLO", "3"), asked("SUBSCRIBE", "orders:1"))
    talk.from_server(b"%1\r\n+proto\r\n:3\r\n" if mark == b">" else b"*2\r\n+proto\r\n:2\r\n")
    talk.from_server(mark + b"3\r\n$9\r\nsubscribe\r\n$8\r\norders:1\r\n:1\r\n")
    message = mark + b"3\r\n$7\r\nmessage\r\n$8\r\norders:1\r\n$4\r\npaid\r\n"
    assert talk.from_server(message) == [Frame("MESSAGE orders:*", message, answered=False, push=True)]


def test_a_push_between_a_request_and_its_reply_takes_nothing_away() -> None:
    talk = conversation(asked("HELLO", "3"), asked("SUBSCRIBE", "c"), asked("GET", "k"))
    talk.from_server(b"%0\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
    frames = talk.from_server(b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n$1\r\nv\r\n")
    assert [(frame.kind, frame.push) for frame in frames] == [("MESSAGE c", True), ("GET k", False)]


def test_a_list_that_looks_like_a_message_is_a_reply_unless_subscribed() -> None:
    talk = conversation(asked("LRANGE", "l", "0", "-1"))
    assert kinds(talk.from_server(b"*2\r\n$7\r\nmessage\r\n$1\r\nx\r\n")) == ["LRANGE l"]


def test_unsubscribing_from_everything_counts_what_was_subscribed() -> None:
    talk = conversation(asked("SUBSCRIBE", "a", "b"), asked("UNSUBSCRIBE"), asked("PING"))
    talk.from_server(b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n")
    both = b"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n"
    assert talk.from_server(both + b"+PONG\r\n") == [
        Frame("UNSUBSCRIBE", both, answered=False),
        Frame("PING", b"+PONG\r\n", answered=False),
    ]


def test_unsubscribing_from_nothing_is_confirmed_once() -> None:
    talk = conversation(asked("UNSUBSCRIBE"), asked("PING"))
    nothing = b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"
    assert kinds(talk.from_server(nothing + b"+PONG\r\n")) == ["UNSUBSCRIBE", "PING"]


def test_an_error_answers_a_subscription_at_once() -> None:
    talk = conversation(asked("SUBSCRIBE", "a", "b"), asked("PING"))
    assert kinds(talk.from_server(b"-NOPERM no\r\n+PONG\r\n")) == ["SUBSCRIBE a", "PING"]


def test_what_nobody_asked_for_is_a_push() -> None:
    refused = b"-ERR max number of clients reached\r\n"
    assert RespConversation().from_server(refused) == [Frame("unasked", refused, answered=False, push=True)]


def test_client_reply_decides_what_is_answered() -> None:
    talk = RespConversation()
    sent = [("CLIENT", "REPLY", "SKIP"), ("PING",), ("PING",), ("CLIENT", "REPLY", "OFF"), ("PING",)]
    sent += [("CLIENT", "REPLY", "ON"), ("PING",)]
    frames = talk.from_client(b"".join(asked(*words) for words in sent))
    assert [frame.answered for frame in frames] == [False, False, True, False, False, True, True]
    assert kinds(talk.from_server(b"+PONG\r\n+OK\r\n+PONG\r\n")) == ["PING", "CLIENT", "PING"]


def test_inline_commands_are_read_as_redis_does() -> None:
    assert read_command(b"PING\r\n") == ([b"PING"], 6)
    assert read_command(b"  set \"a b\" 'c d'  x\n") == ([b"set", b"a b", b"c d", b"x"], 21)
    assert read_command(b'set "\\x41\\n\\"" x\r\n') == ([b"set", b'A\n"', b"x"], 18)
    assert read_command(b"PING") is None


def test_an_empty_line_is_no_request() -> None:
    talk = RespConversation()
    frames = talk.from_client(b"\r\n*0\r\n" + asked("PING"))
    assert [(frame.kind, frame.answered) for frame in frames] == [
        ("EMPTY", False),
        ("EMPTY", False),
        ("PING", True),
    ]
    assert kinds(talk.from_server(b"+PONG\r\n")) == ["PING"]


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"*1\r\n+PING\r\n", "a Redis command holds b'+PING\\r' where a '$' begins its next word"),
        (b"*x\r\n", "a Redis length must be a whole number, not b'*x\\r'"),
        (asked("SYNC"), "SYNC turns the connection into a replication stream"),
    ],
)
def test_what_is_no_command_names_what_is_wrong(sent: bytes, text: str) -> None:
    with pytest.raises(WireError) as caught:
        RespConversation().from_client(sent)
    assert str(caught.value) == text


def test_what_is_no_answer_names_what_is_wrong() -> None:
    with pytest.raises(WireError) as caught:
        RespConversation().from_server(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert str(caught.value) == "a Redis length must be a whole number, not b'TTP/1.1 400 Bad Request'"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["set", "corr:42", "x"], "SET corr:*"),
        (["GET", "corr:ord_1:pi_2:state"], "GET corr:*:state"),
        (["MGET", "a", "b"], "MGET a"),
        (["HELLO", "3"], "HELLO"),
        (["CLIENT", "SETINFO", "LIB-NAME", "x"], "CLIENT"),
        (["PUBLISH", "orders", "x"], "PUBLISH orders"),
        (["BLPOP", "jobs", "0"], "BLPOP jobs"),
        (["EVAL", "return 1", "0"], "EVAL e0e1f9fa"),
        (["EVALSHA", "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB", "1", "k"], "EVALSHA e0e1f9fa"),
        (["XREAD", "COUNT", "1", "STREAMS", "orders:7", "0"], "XREAD orders:*"),
        (["XREADGROUP", "GROUP", "g", "c", "STREAMS", "orders", ">"], "XREADGROUP orders"),
        (["XGROUP", "CREATE", "orders", "g", "0"], "XGROUP orders"),
        (["BITOP", "AND", "dest", "a"], "BITOP dest"),
        (["ZUNION", "2", "a", "b"], "ZUNION a"),
        (["BLMPOP", "0", "2", "a", "b", "LEFT"], "BLMPOP a"),
        (["SCAN", "0"], "SCAN"),
        (["GET"], "GET"),
    ],
)
def test_a_kind_names_the_command_and_its_first_key(words: list[str], kind: str) -> None:
    assert command_kind([word.encode() for word in words]) == kind


@pytest.mark.parametrize(
    ("key", "normalised"),
    [
        (b"corr:42", "corr:*"),
        (b"corr:42:43:x", "corr:*:x"),
        (b"lock:checkout", "lock:checkout"),
        (b"cart:6f9619ff-8b86-d011-b42d-00c04fc964ff", "cart:*"),
        (b"cart:deadbeef", "cart:*"),
        (b"pi:aBcDeFgHiJkLmNoP", "pi:*"),
        (b"cart:paymentIntentStatus", "cart:paymentIntentStatus"),
        (b"x:" + b"y" * 60, "x:*"),
        (b"bin:\xff\x00", "bin:*"),
        (b"", ""),
        (b"::", "::"),
        ("käse:ü".encode(), "käse:ü"),
    ],
)
def test_a_key_is_shown_without_its_ids(key: bytes, normalised: str) -> None:
    assert normalised_key(key) == normalised
