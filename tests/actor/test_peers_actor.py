"""The peers actor alone: hellos said and answered, links told, the number of peers kept."""

from __future__ import annotations

import pytest

from actors.messaging.messages import (
    Disconnect,
    Done,
    Inbound,
    MessageType,
    OpenGate,
    Received,
    Respond,
    RespondBatch,
    Response,
)
from actors.peers.book import REST_S
from actors.peers.dialer import MAX_DIALS, MAX_WAITING
from actors.peers.messages import (
    ConnectOutcome,
    ConnectPeer,
    DisconnectPeer,
    DropPeer,
    PeerId,
    PeerLinked,
    PeerUnlinked,
)
from actors.runtime.events import Happened
from actors.tcp.messages import (
    CloseReason,
    Connected,
    ConnectFailed,
    ConnId,
)
from tests.support.peers_stage import BOB, CAROL, OWN, PeersStage, gone, request


def info_of(stage: PeersStage, peer: str) -> tuple[tuple[int, ...], bool]:
    info = stage.table()[peer]
    return info.conns, info.initiated


# -- accepting ----------------------------------------------------------------------------------


def test_a_hello_is_answered_then_told_to_the_rooms_then_the_gate_opens() -> None:
    stage = PeersStage()
    conn = stage.accepted("10.0.0.2:50000")
    assert stage.hello(conn, BOB) == [
        Respond(conn, 5, b"\x01"),
        linked := PeerLinked(BOB, conn, initiated=False, first=True),
        OpenGate(conn, BOB),
    ]
    assert stage.events.take() == [Happened(linked)]
    assert stage.table()[BOB].remote == "10.0.0.2:50000"


def test_an_accept_lists_the_other_peers() -> None:
    stage = PeersStage()
    stage.greeted(BOB)
    stage.greeted("[::2]:1", "[::2]:50000")
    conn = stage.accepted("10.0.0.3:50000")
    assert Respond(conn, 5, b"\x01" + BOB.encode()) in stage.hello(conn, CAROL)


def test_the_same_hello_on_two_connections_is_one_peer_with_two_links() -> None:
    stage = PeersStage()
    first = stage.greeted(BOB)
    second = stage.accepted("10.0.0.2:50001")
    assert stage.hello(second, BOB) == [
        Respond(second, 5, b"\x01"),
        PeerLinked(BOB, second, initiated=False, first=False),
        OpenGate(second, BOB),
    ]
    assert stage.table()[BOB].conns == (first, second)
    assert stage.tell(gone(first)) == [PeerUnlinked(BOB, first, second)]
    assert stage.tell(gone(second)) == [PeerUnlinked(BOB, second, None)]
    assert stage.table() == {}


def test_both_dialing_each_other_at_once_makes_one_peer() -> None:
    stage = PeersStage()
    answer, hello = stage.dialed(BOB)
    theirs = stage.greeted(BOB)
    assert stage.tell(Response(hello.token, hello.conn, b"\x01")) == [
        PeerLinked(BOB, hello.conn, initiated=True, first=False),
        OpenGate(hello.conn, BOB),
    ]
    assert answer.result() is ConnectOutcome.CONNECTED
    assert info_of(stage, BOB) == ((theirs, hello.conn), False)


def test_the_name_of_a_peer_on_another_host_does_not_become_that_peer() -> None:
    stage = PeersStage()
    stage.greeted(BOB)
    impostor = stage.greeted(BOB, "6.6.6.6:50000")
    assert set(stage.table()) == {BOB, "6.6.6.6:50000"}
    assert stage.tell(DropPeer(PeerId("6.6.6.6:50000"), CloseReason.OTHER_NETWORK)) == [
        PeerUnlinked(PeerId("6.6.6.6:50000"), impostor, None),
        Disconnect(impostor, CloseReason.OTHER_NETWORK),
    ]
    assert set(stage.table()) == {BOB}


def test_a_name_that_cannot_be_dialed_is_not_told_on() -> None:
    stage = PeersStage()
    stage.greeted(BOB)
    stage.greeted(BOB, "6.6.6.6:50000")
    conn = stage.accepted("10.0.0.3:50000")
    assert Respond(conn, 5, b"\x01" + BOB.encode()) in stage.hello(conn, CAROL)


@pytest.mark.parametrize("address", [OWN, "", "nonsense", "host:0", "\xff:1", "h" * 300 + ":1"])
def test_a_hello_of_nobody_or_of_ourselves_is_rejected_at_once(address: str) -> None:
    stage = PeersStage()
    conn = stage.accepted("10.0.0.2:50000")
    assert stage.hello(conn, address) == [Respond(conn, 5, b"\x00")]
    assert stage.table() == {}


def test_when_full_a_hello_is_rejected_with_the_peer_list() -> None:
    stage = PeersStage(max_peers=1, maintain_every_s=1e6)
    stage.greeted(BOB)
    stage.greeted(CAROL)
    conn = stage.accepted("10.0.0.4:50000")
    assert stage.hello(conn, "10.0.0.4:1") == [Respond(conn, 5, f"\x00{BOB},{CAROL}".encode())]


def test_a_rejected_dialer_is_closed_when_it_lingers() -> None:
    stage = PeersStage()
    conn = stage.accepted("10.0.0.2:50000")
    stage.hello(conn, "nonsense")
    stage.pump.run_for(9.9)
    assert stage.out.take() == []
    stage.pump.run_for(0.1)
    assert stage.out.take() == [Disconnect(conn, CloseReason.REJECTED)]


def test_a_rejected_dialer_that_left_is_not_closed() -> None:
    stage = PeersStage()
    conn = stage.accepted("10.0.0.2:50000")
    stage.hello(conn, "nonsense")
    stage.tell(gone(conn))
    stage.pump.run_for(11.0)
    assert stage.out.of(Disconnect) == []


def test_of_a_rejected_dialers_hellos_the_first_counts() -> None:
    stage = PeersStage()
    conn = stage.accepted("10.0.0.2:50000")
    assert stage.hello(conn, "nonsense") == [Respond(conn, 5, b"\x00")]
    assert stage.hello(conn, CAROL) == [Respond(conn, 5, b"\x00")]
    assert not stage.table()


def test_a_rejected_dialer_lingers_once_however_often_it_says_hello() -> None:
    stage = PeersStage()
    conn = stage.accepted("10.0.0.2:50000")
    handled = stage.player.actor.box.report().handled
    stage.tell(Received((request(conn, "p2p:hello", b"nonsense"),) * 256))
    stage.pump.run_for(9.0)
    stage.hello(conn, "nonsense")
    stage.pump.run_for(20.0)
    assert stage.out.of(Disconnect) == [Disconnect(conn, CloseReason.REJECTED)]
    maintained, lingered, batches = 6, 1, 2
    report = stage.player.actor.box.report()
    assert report.handled - handled <= maintained + lingered + batches


def test_a_repeated_hello_is_accepted_again_and_changes_nothing() -> None:
    stage = PeersStage()
    conn = stage.greeted(BOB)
    assert stage.hello(conn, CAROL) == [Respond(conn, 5, b"\x01")]
    assert set(stage.table()) == {BOB}


def test_a_hello_on_a_connection_that_we_dialed_is_rejected() -> None:
    stage = PeersStage()
    _, hello = stage.dialed(BOB)
    assert stage.hello(hello.conn, BOB) == [Respond(hello.conn, 5, b"\x00")]


def test_who_says_hello_on_a_connection_that_we_dialed_may_still_accept_ours_late() -> None:
    stage = PeersStage()
    answer, hello = stage.dialed(BOB)
    stage.hello(hello.conn, BOB)
    stage.pump.run_for(10.0)
    assert stage.out.of(Disconnect) == []
    stage.tell(Response(hello.token, hello.conn, b"\x01"))
    assert answer.result() is ConnectOutcome.CONNECTED


def test_get_peers_is_answered_before_hello() -> None:
    stage = PeersStage()
    stage.greeted(BOB)
    conn = stage.accepted("10.0.0.3:50000")
    assert stage.tell(Received((request(conn, "p2p:get_peers"),))) == [
        RespondBatch(conn, ((5, BOB.encode()),))
    ]


def test_a_batch_of_requests_for_peers_is_answered_by_one_message() -> None:
    stage = PeersStage()
    stage.greeted(BOB)
    conn = stage.greeted(CAROL)
    asked = request(conn, "p2p:get_peers")
    asked_again = asked._replace(message_id=6)
    assert stage.tell(Received((asked, request(conn, "p2p:hello", b""), asked_again))) == [
        Respond(conn, 5, b"\x01" + BOB.encode()),
        RespondBatch(conn, ((5, BOB.encode()), (6, BOB.encode()))),
    ]


def test_what_gets_no_answer_gives_its_credit_back_once_per_batch() -> None:
    stage = PeersStage()
    conn = stage.accepted("10.0.0.2:50000")
    regular = Inbound(conn, MessageType.REGULAR, 5, "p2p:hello", BOB.encode())
    unknown = request(conn, "p2p:other")
    assert stage.tell(Received((regular, unknown, request(conn, "p2p:get_peers")))) == [
        RespondBatch(conn, ((5, b""),)),
        Done(conn, 2, useless=2),
    ]


def test_what_a_closing_connection_says_is_ignored() -> None:
    stage = PeersStage()
    conn = stage.greeted(BOB)
    stage.ask(DisconnectPeer(BOB))
    assert stage.hello(conn, BOB) == []
    assert stage.tell(gone(conn)) == []


# -- dialing ------------------------------------------------------------------------------------


def test_a_dial_says_our_address_and_links_before_the_gate_opens() -> None:
    stage = PeersStage()
    answer, hello = stage.dialed(BOB)
    assert (hello.kind, hello.payload, hello.timeout_s) == ("p2p:hello", OWN.encode(), 10.0)
    assert not answer.done()
    assert stage.tell(Response(hello.token, hello.conn, b"\x01")) == [
        PeerLinked(BOB, hello.conn, initiated=True, first=True),
        OpenGate(hello.conn, BOB),
    ]
    assert answer.result() is ConnectOutcome.CONNECTED


def test_an_accept_with_a_malformed_list_is_an_accept() -> None:
    stage = PeersStage()
    answer, hello = stage.dialed(BOB)
    stage.tell(Response(hello.token, hello.conn, b"\x01\xff,:,10.0.0.3:8000,"))
    assert answer.result() is ConnectOutcome.CONNECTED
    assert [(dial.host, dial.port) for dial in stage.dials()] == [("10.0.0.3", 8000)]


def test_an_ipv6_address_is_dialed_without_its_brackets() -> None:
    stage = PeersStage()
    stage.ask(ConnectPeer("[::1]:80"))
    assert [(dial.host, dial.port) for dial in stage.dials()] == [("::1", 80)]


@pytest.mark.parametrize("payload", [b"\x00", b"", b"\x02"])
def test_a_rejected_dial_is_closed_and_peers_from_the_list_are_tried(payload: bytes) -> None:
    stage = PeersStage()
    answer, hello = stage.dialed(BOB)
    listed = payload and payload + CAROL.encode()
    assert stage.tell(Response(hello.token, hello.conn, listed)) == [
        Disconnect(hello.conn, CloseReason.REJECTED)
    ]
    assert answer.result() is ConnectOutcome.REJECTED
    assert [dial.host for dial in stage.dials()] == (["10.0.0.3"] if payload else [])


def test_a_dial_without_an_answer_is_closed() -> None:
    stage = PeersStage()
    answer, hello = stage.dialed(BOB)
    assert stage.tell(Response(hello.token, hello.conn, None)) == [
        Disconnect(hello.conn, CloseReason.HELLO_TIMEOUT)
    ]
    assert answer.result() is ConnectOutcome.NO_ANSWER


def test_a_dial_that_is_hung_up_on_is_answered_once() -> None:
    stage = PeersStage()
    answer, hello = stage.dialed(BOB)
    assert stage.tell(gone(hello.conn), Response(hello.token, hello.conn, None)) == []
    assert answer.result() is ConnectOutcome.NO_ANSWER


def test_a_refused_dial_is_unreachable() -> None:
    stage = PeersStage()
    answer = stage.ask(ConnectPeer(BOB))
    (dial,) = stage.dials()
    stage.tell(ConnectFailed(dial.token, CloseReason.REFUSED))
    assert answer.result() is ConnectOutcome.UNREACHABLE


@pytest.mark.parametrize(
    ("address", "outcome"),
    [
        ("nonsense", ConnectOutcome.BAD_ADDRESS),
        (OWN, ConnectOutcome.OURSELVES),
        (BOB, ConnectOutcome.ALREADY_CONNECTED),
    ],
)
def test_some_connects_are_answered_without_a_dial(address: str, outcome: ConnectOutcome) -> None:
    stage = PeersStage()
    stage.greeted(BOB)
    assert stage.ask(ConnectPeer(address)).result() is outcome
    assert stage.dials() == []


def test_two_connects_to_one_address_share_a_dial() -> None:
    stage = PeersStage()
    answers = [stage.ask(ConnectPeer(BOB)) for _ in range(MAX_WAITING + 1)]
    (dial,) = stage.dials()
    assert answers.pop().result() is ConnectOutcome.BUSY
    stage.tell(ConnectFailed(dial.token, CloseReason.REFUSED))
    assert {answer.result() for answer in answers} == {ConnectOutcome.UNREACHABLE}


def test_too_many_dials_under_way_are_busy() -> None:
    stage = PeersStage()
    answers = [stage.ask(ConnectPeer(f"10.1.0.1:{port}")) for port in range(1, MAX_DIALS + 2)]
    assert [answer.done() for answer in answers] == [False] * MAX_DIALS + [True]
    assert answers[-1].result() is ConnectOutcome.BUSY


def test_a_dial_that_reaches_ourselves_is_found_out_and_not_repeated() -> None:
    stage = PeersStage(bootstrap=("localhost:9000",))
    (dial,) = stage.dials()
    conn = ConnId(90)
    stage.tell(Connected(conn, initiated=True, remote=OWN, token=dial.token))
    answer = stage.ask(ConnectPeer("localhost:9000"))
    stage.hello(stage.accepted("127.0.0.1:50000"), OWN)
    stage.tell(Response(dial.token, conn, b"\x00"))
    assert answer.result() is ConnectOutcome.OURSELVES
    stage.pump.run_for(REST_S - 1)
    assert stage.dials() == []


def test_a_connection_of_an_unknown_dial_is_closed() -> None:
    stage = PeersStage()
    assert stage.tell(Connected(ConnId(5), initiated=True, remote=BOB, token=3)) == [
        Disconnect(ConnId(5), CloseReason.LOCAL)
    ]
    assert stage.tell(ConnectFailed(3, CloseReason.REFUSED), Response(3, ConnId(5), b"\x01")) == []
