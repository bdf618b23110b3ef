"""``troupe transport`` and ``troupe messages`` over the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from troupe.admin.v1 import errors_pb2
from troupe.admin.v1 import messaging_service_pb2 as messaging
from troupe.admin.v1 import transport_service_pb2 as transport

from admin.cli.exits import ExitCode
from admin.errors import Refusal
from tests.unit.cli.shell import Shell, shell_of_a_node

PEER = "192.0.2.7:18750"
TRANSPORT = transport.Transport(
    listen_address="127.0.0.1:7001",
    accepting=True,
    connection_counts=[
        transport.StateCount(state=transport.CONNECTION_STATE_ESTABLISHED, count=2),
        transport.StateCount(state=transport.CONNECTION_STATE_GREETING, count=1),
    ],
    accepted_count=12,
    refused_count=3,
    end_counts=[transport.EndCount(reason=transport.END_REASON_FRAME_TOO_LARGE, count=9)],
    received_bytes=12_345,
    received_frame_count=1,
    limits=transport.TransportLimits(max_connections=80),
)
CONNECTION = transport.Connection(
    id=3,
    remote_address=PEER,
    initiated=True,
    state=transport.CONNECTION_STATE_ESTABLISHED,
    peer_address=PEER,
    age_s=75.5,
    sent_bytes=54_321,
)
MESSAGING = messaging.Messaging(
    kinds=[messaging.KindTraffic(kind="gossip:bc:new_tx", received_count=1_234)],
    received_count=2_345,
    in_flight_count=1,
    unknown_kinds=[messaging.UnknownKind(kind="foo:\x1b[31m", count=5)],
)
TRACED = messaging.TracedMessage(
    direction=messaging.MESSAGE_DIRECTION_RECEIVED,
    connection_id=3,
    peer_address=PEER,
    type=messaging.MESSAGE_TYPE_REGULAR,
    kind="gossip:chat",
    message_id=7,
    payload_size_bytes=100,
    payload=b"hi\x1b\xff",
)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with shell_of_a_node(tmp_path) as opened:
        yield opened


# -- transport --------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["transport", "transport show"])
def test_the_transport_is_shown_in_numbers(shell: Shell, line: str) -> None:
    shell.answers(GetTransport=transport.GetTransportResponse(transport=TRANSPORT))
    text = shell(line).stdout
    assert "3 of 80 (2 established, 1 greeting)" in text
    assert "12, 3 refused" in text
    assert "9 frame-too-large" in text
    assert "1 frame, 12,345 bytes" in text
    assert shell.data(line)["limits"]["max_connections"] == 80


def test_connections_are_listed_to_the_last_page(shell: Shell) -> None:
    def page(request: Any) -> Any:
        first = not request.page_token
        changes = {} if first else {"peer_address": "", "id": 4}
        fields = {field.name: value for field, value in CONNECTION.ListFields()}
        return transport.ListConnectionsResponse(
            connections=[transport.Connection(**{**fields, **changes})],
            next_page_token="more" if first else "",
        )

    shell.answers(ListConnections=page)
    lines = shell("transport connections").stdout.splitlines()
    assert lines[1].split()[:5] == ["3", PEER, "outbound", "established", PEER]
    assert "1 min 15 s" in lines[1]
    assert lines[2].split()[4] == "-"
    assert [each["id"] for each in shell.data("transport connections")] == [3, 4]


def test_without_connections_the_list_says_so(shell: Shell) -> None:
    shell.answers(ListConnections=transport.ListConnectionsResponse())
    assert shell("transport connections").stdout == "No connections.\n"


def test_a_connection_is_closed(shell: Shell) -> None:
    shell.answers(CloseConnection=transport.CloseConnectionResponse())
    assert shell("transport close 3").stdout == "Connection 3 is closing.\n"
    assert shell.node.asked("CloseConnection")[0].connection_id == 3


def test_to_close_what_is_not_there_is_not_found(shell: Shell) -> None:
    reason = errors_pb2.ERROR_REASON_CONNECTION_NOT_FOUND
    shell.answers(CloseConnection=Refusal(reason, "there is no open connection 3"))
    result = shell("transport close 3")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert result.stderr == "Error: there is no open connection 3 [CONNECTION_NOT_FOUND]\n"


@pytest.mark.parametrize("word", ["0", "-1", "x"])
def test_what_is_no_connection_is_a_usage_error(shell: Shell, word: str) -> None:
    assert shell(f"transport close -- {word}").exit_code == ExitCode.USAGE
    assert not shell.node.asked("CloseConnection")


# -- counts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["messages", "messages counts"])
def test_messages_are_counted_by_kind(shell: Shell, line: str) -> None:
    shell.answers(GetMessaging=messaging.GetMessagingResponse(messaging=MESSAGING))
    text = shell(line).stdout
    assert "2,345 messages" in text
    assert "1 request" in text
    assert "5 (foo:\\x1b[31m 5)" in text
    assert "gossip:bc:new_tx     1,234" in text
    assert shell.data(line)["kinds"][0]["received_count"] == 1_234


# -- watching ---------------------------------------------------------------------------------------


def watched(*after: Any) -> tuple[Any, ...]:
    return (
        messaging.WatchMessagesResponse(),
        messaging.WatchMessagesResponse(message=TRACED),
        *after,
    )


def test_messages_are_followed_a_line_each_and_the_terminal_is_safe(shell: Shell) -> None:
    shell.answers(WatchMessages=watched())
    result = shell(f"messages watch --kind gossip: --kind a --peer {PEER} --payload 80")
    assert result.exit_code == ExitCode.OK
    (line,) = result.stdout.splitlines()
    words = line.split()
    assert words[1:] == [
        "in",
        "regular",
        "gossip:chat",
        "7",
        "100",
        "bytes",
        PEER,
        "hi\\x1b\\xff",
    ]
    (request,) = shell.node.asked("WatchMessages")
    assert list(request.kinds) == ["gossip:", "a"]
    assert (request.peer_address, request.payload_limit_bytes) == (PEER, 80)


def test_followed_messages_are_a_json_document_each(shell: Shell) -> None:
    shell.answers(WatchMessages=watched())
    data = json.loads(shell("messages watch -o jsonl").stdout)
    assert (data["direction"], data["type"], data["kind"]) == ("received", "regular", "gossip:chat")
    assert (data["payload"], data["payload_hex"]) == ("hi\x1b\\xff", "68691bff")


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (errors_pb2.ERROR_REASON_STOPPING, ExitCode.OK),
        (errors_pb2.ERROR_REASON_SLOW_CONSUMER, ExitCode.TRY_AGAIN),
        (errors_pb2.ERROR_REASON_ACTOR_DOWN, ExitCode.TRY_AGAIN),
    ],
)
def test_watching_ends_well_only_when_the_node_stops(
    shell: Shell, reason: Any, code: ExitCode
) -> None:
    shell.answers(WatchMessages=watched(Refusal(reason, "it ended")))
    result = shell("messages watch")
    assert result.exit_code == code
    assert len(result.stdout.splitlines()) == 1


# -- sending ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "fields"),
    [(PEER, {"peer_address": PEER}), ("3", {"connection_id": 3})],
)
def test_a_message_is_sent_to_a_peer_or_on_a_connection(
    shell: Shell, target: str, fields: dict[str, Any]
) -> None:
    shell.answers(SendMessage=messaging.SendMessageResponse(connection_id=3))
    assert shell(f"messages send {target} my:kind hello").stdout == (
        "5 bytes of my:kind queued on connection 3.\n"
    )
    expected = messaging.SendMessageRequest(kind="my:kind", payload=b"hello", **fields)
    assert shell.node.asked("SendMessage") == [expected]


def test_a_payload_may_be_text_or_hex_or_a_file_or_nothing(shell: Shell, tmp_path: Path) -> None:
    shell.answers(SendMessage=messaging.SendMessageResponse())
    (tmp_path / "payload").write_bytes(b"\0\1\2")
    for arguments in ("é", "--hex 00ff", f"--file {tmp_path / 'payload'}", ""):
        assert shell(f"messages send 3 kind {arguments}").exit_code == ExitCode.OK
    payloads = [each.payload for each in shell.node.asked("SendMessage")]
    assert payloads == ["é".encode(), b"\x00\xff", b"\0\1\2", b""]


def test_two_payloads_are_a_usage_error(shell: Shell) -> None:
    result = shell("messages broadcast kind text --hex 00")
    assert result.exit_code == ExitCode.USAGE
    assert "give the payload once" in result.stderr
    assert not shell.node.asked("BroadcastMessage")


@pytest.mark.parametrize("target", ["0", "host", "host:0", "1.2.3.400:80"])
def test_what_is_neither_peer_nor_connection_is_a_usage_error(shell: Shell, target: str) -> None:
    assert shell(f"messages send {target} kind").exit_code == ExitCode.USAGE
    assert not shell.node.asked("SendMessage")


def test_a_broadcast_says_how_many_it_is_for(shell: Shell) -> None:
    shell.answers(BroadcastMessage=messaging.BroadcastMessageResponse(peer_count=2))
    assert shell("messages broadcast my:kind hello").stdout == "my:kind queued for 2 peers.\n"
    assert shell.data("messages broadcast my:kind") == {"peer_count": 2}


def test_a_request_shows_the_response(shell: Shell) -> None:
    answer = messaging.SendRequestResponse(
        connection_id=3, payload=b"\x01127.0.0.1:7", elapsed_s=0.0123
    )
    shell.answers(SendRequest=answer)
    text = shell(f"messages request {PEER} p2p:get_peers --timeout 2.5").stdout
    assert "12.3 ms" in text
    assert "12 bytes" in text
    assert "\\x01127.0.0.1:7" in text
    assert shell.node.asked("SendRequest")[0].timeout_s == 2.5
    data = shell.data(f"messages request {PEER} p2p:get_peers")
    assert bytes.fromhex(data["payload_hex"]) == answer.payload


def test_no_response_has_the_exit_code_of_a_timeout(shell: Shell) -> None:
    reason = errors_pb2.ERROR_REASON_PEER_NO_RESPONSE
    shell.answers(SendRequest=Refusal(reason, "no response to kind within 10 s"))
    assert shell("messages request 3 kind").exit_code == ExitCode.TIMED_OUT


@pytest.mark.parametrize("timeout_s", ["0", "61", "soon"])
def test_a_wait_has_its_bounds(shell: Shell, timeout_s: str) -> None:
    assert shell(f"messages request 3 kind --timeout {timeout_s}").exit_code == ExitCode.USAGE
    assert not shell.node.asked("SendRequest")
