"""`gossip`, `chat` and `search` against a scripted node: real command lines, real gRPC."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from google.protobuf.timestamp_pb2 import Timestamp
from troupe.admin.v1 import errors_pb2, gossip_service_pb2, search_service_pb2

from admin.cli import chat_commands
from admin.cli.exits import ExitCode
from admin.cli.main import cli
from admin.errors import Refusal, stopping
from tests.unit.cli.shell import Shell, shell_of_a_node

NOON = Timestamp(seconds=1_700_000_000)
PEER = "10.0.0.1:7000"
STARTED = gossip_service_pb2.SubscribeResponse(started=gossip_service_pb2.SubscribeStarted())
SLOW = Refusal(errors_pb2.ERROR_REASON_SLOW_CONSUMER, "too slow", dropped="1")
WAIT_S = 30.0


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with shell_of_a_node(tmp_path) as opened:
        yield opened


def piped(shell: Shell, content: bytes, *words: str) -> Result:
    """Run a command line with something on standard input."""
    environment = {"TROUPE_DATA_DIR": str(shell.directory)}
    return CliRunner().invoke(cli, words, input=content, env=environment)


def message(
    payload: bytes, *, kind: str = "chat", peer: str = PEER, message_id: str = "0a" * 16
) -> gossip_service_pb2.SubscribeResponse:
    return gossip_service_pb2.SubscribeResponse(
        message=gossip_service_pb2.GossipMessage(
            message_id=message_id, kind=kind, payload=payload, peer=peer, receive_time=NOON
        )
    )


# -- gossip ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["gossip", "gossip status"])
def test_gossip_shows_bounds_and_what_became_of_each_kind(shell: Shell, line: str) -> None:
    kinds = [
        gossip_service_pb2.GossipKind(kind="chat", subscriber_count=2, received_count=1234),
        gossip_service_pb2.GossipKind(dropped_count=9),
        gossip_service_pb2.GossipKind(kind="\x1b[2J"),
    ]
    gossip = gossip_service_pb2.Gossip(
        seen_id_count=12, max_seen_count=65_536, seen_lifetime_s=300.0, kinds=kinds
    )
    shell.answers(GetGossip=gossip_service_pb2.GetGossipResponse(gossip=gossip))
    text = shell(line).stdout
    for part in ("12 of 65,536, for 5 min", "chat", "1,234", "(others)", r"\x1b[2J"):
        assert part in text
    assert "\x1b[2J" not in text
    assert shell.data(line)["kinds"][0]["received_count"] == 1234


def test_publish_says_the_id_and_how_many_peers(shell: Shell) -> None:
    answer = gossip_service_pb2.PublishResponse(message_id="0a" * 16, peer_count=3)
    shell.answers(Publish=answer)
    result = shell("gossip publish my:kind hello")
    assert f"my:kind published to 3 peers as {'0a' * 16}." in result.stdout
    shell("gossip publish my:kind 00ff --hex")
    piped(shell, b"\x01\n", "gossip", "publish", "my:kind", "-")
    piped(shell, b"01\n", "gossip", "publish", "my:kind", "-", "--hex")
    asked = shell.node.asked("Publish")
    assert [request.payload for request in asked] == [b"hello", b"\x00\xff", b"\x01\n", b"\x01"]
    assert len({request.request_id for request in asked} - {""}) == 4
    assert shell.data("gossip publish my:kind hello")["peer_count"] == 3


def test_publish_wants_hex_to_be_hex(shell: Shell) -> None:
    result = shell("gossip publish my:kind xyz --hex")
    assert result.exit_code == ExitCode.USAGE
    assert "must be hex" in result.stderr
    result = piped(shell, b"xyz", "gossip", "publish", "my:kind", "-", "--hex")
    assert result.exit_code == ExitCode.USAGE
    assert "must be hex, not standard input" in result.stderr


def test_content_that_is_no_text_is_sent_as_it_was_given(shell: Shell) -> None:
    """The shell hands such bytes over as lone surrogates."""
    shell.answers(
        Publish=gossip_service_pb2.PublishResponse(),
        ProvideItem=search_service_pb2.ProvideItemResponse(),
    )
    assert shell("gossip publish my:kind \udcff").exit_code == ExitCode.OK
    assert shell.node.asked("Publish")[0].payload == b"\xff"
    assert shell("search provide note \udcff item").stdout == "note \\xff is provided.\n"
    assert shell.node.asked("ProvideItem")[0].query == b"\xff"


def test_a_kind_that_is_no_text_is_refused_in_a_sentence(shell: Shell) -> None:
    result = shell("gossip publish \udcff hello")
    assert (result.exit_code, shell.node.asked("Publish")) == (ExitCode.USAGE, [])
    assert result.stderr == "Error: an argument is not UTF-8 text: '\\udcff'\n"


def test_subscribe_shows_strangers_bytes_escaped_and_ends_with_the_node(shell: Shell) -> None:
    messages = [STARTED, message(b"ada\0\xff\x1b[2J"), message(b"x", kind="my:kind", peer="")]
    shell.answers(Subscribe=[*messages, stopping()])
    result = shell("gossip subscribe chat my:kind")
    assert result.exit_code == 0, result.stderr
    first, second = result.stdout.splitlines()
    assert r"ada\x00\xff\x1b[2J" in first
    assert PEER in first
    assert "this node" in second
    assert list(shell.node.asked("Subscribe")[0].kinds) == ["chat", "my:kind"]
    lines = shell("gossip subscribe -o jsonl").stdout.splitlines()
    assert [json.loads(line)["payload_hex"] for line in lines] == [b"ada\0\xff\x1b[2J".hex(), "78"]


def test_subscribe_says_when_it_fell_behind(shell: Shell) -> None:
    shell.answers(Subscribe=[STARTED, SLOW])
    result = shell("gossip subscribe")
    assert result.exit_code == ExitCode.TRY_AGAIN
    assert "SLOW_CONSUMER" in result.stderr


# -- chat -----------------------------------------------------------------------------------------


class Talk:
    """A node whose stream gives what the test says, and the echo of what is published."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.stream: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.stream.put(STARTED)
        self.peer_count = 1
        shell.answers(Subscribe=lambda _request: self._heard(), Publish=self._publish)

    def _heard(self) -> Iterator[Any]:
        while (item := self.stream.get(timeout=WAIT_S)) is not None:
            yield item

    def _publish(
        self, request: gossip_service_pb2.PublishRequest
    ) -> gossip_service_pb2.PublishResponse:
        message_id = f"{len(self.said()):032x}"
        self.stream.put(message(request.payload, peer="", message_id=message_id))
        return gossip_service_pb2.PublishResponse(message_id=message_id, peer_count=self.peer_count)

    def said(self) -> list[bytes]:
        return [request.payload for request in self.shell.node.asked("Publish")]

    def chat(self, content: bytes, *words: str) -> Result:
        result = piped(self.shell, content, "chat", *words)
        self.stream.put(None)
        return result


def test_chat_says_the_lines_of_a_pipe_and_ends_with_it(shell: Shell) -> None:
    talk = Talk(shell)
    result = talk.chat("hello\n\r\n\nbye \u2603".encode(), "--as", "ada")
    assert result.exit_code == 0, result.stderr
    assert talk.said() == [b"ada\0hello", "ada\0bye \u2603".encode()]
    assert {request.kind for request in shell.node.asked("Publish")} == {"chat"}
    assert list(shell.node.asked("Subscribe")[0].kinds) == ["chat"]


def test_chat_shows_others_and_not_what_it_said_itself(shell: Shell) -> None:
    talk = Talk(shell)
    talk.stream.put(message(b"bob\0hi\x1b[2J \xe2\x98\x83", message_id="bb" * 16))

    def publish_and_stop(request: Any) -> Any:
        answer = talk._publish(request)
        talk.stream.put(message(b"eve\0hello", peer="", message_id="ee" * 16))
        talk.stream.put(stopping())
        return answer

    shell.answers(Publish=publish_and_stop)
    result = talk.chat(b"hello\n", "--stay")
    assert result.exit_code == 0, result.stderr
    assert [line[14:] for line in result.stdout.splitlines()] == [
        "bob: hi\\x1b[2J \u2603",
        "eve: hello",
    ]
    assert talk.said() == [b"anonymous\0hello"]


def test_chat_shows_lines_as_data(shell: Shell) -> None:
    talk = Talk(shell)
    talk.stream.put(message(b"bob\0hi"))
    talk.stream.put(stopping())
    result = talk.chat(b"", "--stay", "-o", "jsonl")
    assert json.loads(result.stdout) == {
        "time": "2023-11-14T22:13:20.000+00:00",
        "sender": "bob",
        "text": "hi",
        "peer": PEER,
        "message_id": "0a" * 16,
    }


def test_chat_listens_again_when_it_fell_behind(shell: Shell) -> None:
    talk = Talk(shell)
    for item in (SLOW, STARTED, message(b"bob\0still here"), stopping()):
        talk.stream.put(item)
    result = talk.chat(b"", "--stay")
    assert "bob: still here" in result.stdout
    assert len(shell.node.asked("Subscribe")) == 2


def test_chat_says_once_that_nobody_else_hears(shell: Shell) -> None:
    talk = Talk(shell)
    talk.peer_count = 0
    result = talk.chat(b"one\ntwo\n")
    assert result.stderr.count("no peers") == 1
    assert len(talk.said()) == 2


def test_chat_leaves_out_a_line_that_is_too_long(shell: Shell) -> None:
    talk = Talk(shell)
    result = talk.chat(b"x" * 5_000 + b"\nshort\n", "--as", "ada")
    assert "too long" in result.stderr
    assert talk.said() == [b"ada\0short"]


def test_chat_is_no_faster_than_others_pass_lines_on(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(chat_commands, "sleep", waits.append)
    talk = Talk(shell)
    talk.chat(b"".join(b"%d\n" % number for number in range(10)))
    assert len(talk.said()) == 10
    assert waits == [0.25] * 6


@pytest.mark.parametrize("name", ["", "x" * 33, "a\tb", "\x1b"])
def test_chat_wants_a_visible_name(shell: Shell, name: str) -> None:
    result = piped(shell, b"", "chat", "--as", name)
    assert result.exit_code == ExitCode.USAGE
    assert "visible" in result.stderr


def test_chat_that_the_node_refuses_fails(shell: Shell) -> None:
    limit = errors_pb2.ERROR_REASON_TOO_MANY_STREAMS
    shell.answers(Subscribe=[Refusal(limit, "128 streams are open", limit="128")])
    result = piped(shell, b"hello\n", "chat")
    assert result.exit_code == ExitCode.TRY_AGAIN
    assert "TOO_MANY_STREAMS" in result.stderr


# -- search ---------------------------------------------------------------------------------------


def found(payload: bytes) -> search_service_pb2.SearchResponse:
    return search_service_pb2.SearchResponse(
        answer=search_service_pb2.SearchAnswer(
            payload=payload, peer=PEER, connection_id=7, receive_time=NOON
        )
    )


@pytest.mark.parametrize("line", ["search note motto", "search find note motto"])
def test_search_shows_each_answer(shell: Shell, line: str) -> None:
    shell.answers(Search=[found(b"all the world"), found("caf\u00e9\x1b".encode())])
    result = shell(f"{line} --timeout 0.5")
    assert result.exit_code == 0, result.stderr
    first, second = result.stdout.splitlines()
    assert f"{PEER}  13 bytes  all the world" in first
    assert second.endswith(r"caf" + "\u00e9" + r"\x1b")
    (asked,) = shell.node.asked("Search")
    assert (asked.kind, asked.query, asked.timeout_ms) == ("note", b"motto", 500)
    data = [json.loads(each) for each in shell(f"{line} -o jsonl").stdout.splitlines()]
    assert [each["payload_hex"] for each in data] == [
        b"all the world".hex(),
        "caf\u00e9\x1b".encode().hex(),
    ]


def test_a_block_is_searched_by_its_hash(shell: Shell) -> None:
    shell.answers(Search=[found(b"1:2:3")])
    assert shell(f"search block {'ab' * 32}").exit_code == 0
    assert shell("search note 00ff --hex").exit_code == 0
    assert [asked.query for asked in shell.node.asked("Search")] == [b"\xab" * 32, b"\x00\xff"]
    assert shell("search block tip").exit_code == ExitCode.USAGE


def test_a_search_that_nobody_answers_says_so(shell: Shell) -> None:
    shell.answers(Search=[])
    result = shell("search note motto")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert "nobody answered within 5 s" in result.stderr


def test_a_search_without_peers_says_so(shell: Shell) -> None:
    shell.answers(Search=[Refusal(errors_pb2.ERROR_REASON_NO_PEERS, "no peer to ask")])
    result = shell("search note motto")
    assert result.exit_code == ExitCode.REJECTED
    assert "NO_PEERS" in result.stderr


def test_items_are_provided_listed_and_withdrawn(shell: Shell) -> None:
    item = search_service_pb2.Item(
        kind="note", query=b"caf\xc3\xa9", size_bytes=1_300, sha256="ab" * 32, provide_time=NOON
    )
    shell.answers(
        ProvideItem=search_service_pb2.ProvideItemResponse(),
        WithdrawItem=search_service_pb2.WithdrawItemResponse(),
        ListItems=search_service_pb2.ListItemsResponse(items=[item]),
    )
    assert "note motto is provided." in shell("search provide note motto world").stdout
    piped(shell, b"\x89PNG", "search", "provide", "file", "00ff", "-", "--hex")
    asked = shell.node.asked("ProvideItem")
    assert [(each.kind, each.query, each.item) for each in asked] == [
        ("note", b"motto", b"world"),
        ("file", b"\x00\xff", b"\x89PNG"),
    ]
    text = shell("search items --kind note").stdout
    for part in ("caf\u00e9", "1,300", "abababababab"):
        assert part in text
    assert shell.node.asked("ListItems")[0].kind == "note"
    assert shell.data("search items")[0]["query_hex"] == "636166c3a9"
    assert "note motto is withdrawn." in shell("search withdraw note motto").stdout
    assert shell.node.asked("WithdrawItem")[0].query == b"motto"


def test_an_item_that_was_provided_already_is_no_fault(shell: Shell) -> None:
    answer = search_service_pb2.ProvideItemResponse(already_provided=True)
    shell.answers(ProvideItem=answer)
    assert "was provided already" in shell("search provide note motto world").stdout


def test_no_items_say_how_to_provide_one(shell: Shell) -> None:
    shell.answers(ListItems=search_service_pb2.ListItemsResponse())
    assert "troupe search provide" in shell("search items").stdout
