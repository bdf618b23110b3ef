from __future__ import annotations

from actors.messaging.messages import Inbound, KindTraffic, MessageType
from actors.messaging.routes import OTHER_KINDS
from actors.messaging.traffic import FIELD_KINDS, MAX_FURTHER_KINDS, RESPONSES, Traffic
from actors.tcp.messages import ConnId


def _message(kind: str, payload: bytes = b"") -> Inbound:
    return Inbound(ConnId(7), MessageType.REGULAR, 1, kind, payload)


def _report(traffic: Traffic) -> dict[str, KindTraffic]:
    return {each.kind: each for each in traffic.report()}


def test_what_has_not_passed_is_not_reported() -> None:
    assert Traffic().report() == ()


def test_both_ways_are_counted_apart_with_the_bytes_of_the_payloads() -> None:
    traffic = Traffic()
    traffic.received([_message("a", b"123"), _message("b"), _message("a", b"45")])
    traffic.sent("a", 20, 400)
    assert _report(traffic) == {
        "a": KindTraffic("a", 2, 5, 20, 400),
        "b": KindTraffic("b", 1, 0, 0, 0),
    }


def test_responses_are_counted_under_one_name() -> None:
    traffic = Traffic()
    traffic.received_responses([_message("", b"yes"), _message("", b"")])
    traffic.sent(RESPONSES, 3, 9)
    assert traffic.report() == (KindTraffic(RESPONSES, 2, 3, 3, 9),)


def test_invented_kinds_share_a_count_and_leave_those_of_the_field_theirs() -> None:
    traffic = Traffic()
    traffic.received([_message(f"gossip:{n}", b"x") for n in range(MAX_FURTHER_KINDS + 10)])
    traffic.received([_message(kind) for kind in FIELD_KINDS])
    traffic.sent("and another", 1, 2)
    report = _report(traffic)
    assert report[OTHER_KINDS] == KindTraffic(OTHER_KINDS, 10, 10, 1, 2)
    assert set(FIELD_KINDS) <= set(report)
    assert len(report) == len(FIELD_KINDS) + MAX_FURTHER_KINDS + 1
