from __future__ import annotations

from dataclasses import replace

from actors.config import TcpSettings
from actors.tcp.admission import HELLO_GRACE_S, Admission
from actors.tcp.messages import ConnId

SETTINGS = replace(TcpSettings(), max_connections=6, max_unestablished=3, max_per_ip=2)


def _conns(*numbers: int) -> tuple[ConnId, ...]:
    return tuple(ConnId(number) for number in numbers)


def _full(*, established: bool) -> Admission:
    """Six connections from as many addresses."""
    admission = Admission(SETTINGS)
    for conn in _conns(1, 2, 3, 4, 5, 6):
        assert admission.accept(conn, f"10.0.0.{conn}", 0.0) == ()
        admission.hello_said(conn)
        if established:
            admission.establish(conn)
    return admission


def test_a_stranger_too_many_costs_the_oldest_its_seat() -> None:
    admission = Admission(SETTINGS)
    for conn in _conns(1, 2, 3):
        assert admission.accept(conn, "127.0.0.1", 0.0) == ()
    assert admission.accept(ConnId(4), "127.0.0.1", 1.0) == _conns(1)


def test_saying_hello_frees_the_seat_for_strangers() -> None:
    admission = Admission(SETTINGS)
    for conn in _conns(1, 2, 3):
        admission.accept(conn, "127.0.0.1", 0.0)
    admission.hello_said(ConnId(2))
    assert admission.accept(ConnId(4), "127.0.0.1", 1.0) == ()
    assert admission.accept(ConnId(5), "127.0.0.1", 1.0) == _conns(1)


def test_full_of_peers_a_newcomer_is_refused() -> None:
    assert _full(established=True).accept(ConnId(7), "10.0.0.7", 0.0) is None


def test_full_with_a_useless_one_the_oldest_of_those_goes() -> None:
    admission = _full(established=False)
    admission.establish(ConnId(1))
    assert admission.accept(ConnId(7), "10.0.0.7", 0.0) == _conns(2)


def test_a_dial_of_ours_needs_a_seat_too() -> None:
    assert _full(established=True).dialed(ConnId(7), "10.0.0.7") is None
    assert _full(established=False).dialed(ConnId(7), "10.0.0.7") == _conns(1)


def test_a_dialed_connection_is_never_useless() -> None:
    admission = Admission(SETTINGS)
    for conn in _conns(1, 2, 3, 4, 5, 6):
        assert admission.dialed(conn, "10.0.0.1") == ()
    assert admission.accept(ConnId(7), "10.0.0.7", 0.0) is None


def test_an_address_has_its_share_and_no_more() -> None:
    admission = Admission(SETTINGS)
    for conn in _conns(1, 2):
        admission.accept(conn, "10.0.0.1", 0.0)
        admission.establish(conn)
    assert admission.accept(ConnId(3), "10.0.0.1", 0.0) is None
    assert admission.accept(ConnId(3), "10.0.0.2", 0.0) == ()


def test_an_address_replaces_its_own_useless_connection() -> None:
    admission = Admission(SETTINGS)
    for conn in _conns(1, 2):
        admission.accept(conn, "10.0.0.1", 0.0)
    admission.establish(ConnId(1))
    assert admission.accept(ConnId(3), "10.0.0.1", 0.0) == _conns(2)


def test_all_addresses_of_one_64_have_one_share() -> None:
    admission = Admission(SETTINGS)
    for conn in _conns(1, 2):
        admission.accept(conn, f"2001:db8::{conn}", 0.0)
        admission.establish(conn)
    assert admission.accept(ConnId(3), "2001:db8::3:3:3", 0.0) is None
    assert admission.accept(ConnId(3), "2001:db8:0:1::3", 0.0) == ()
    admission.leave(ConnId(1))
    assert admission.accept(ConnId(4), "2001:db8::4", 0.0) == ()


def test_loopback_is_exempt_from_the_share_of_an_address() -> None:
    admission = Admission(SETTINGS)
    for conn in _conns(1, 2, 3, 4):
        assert admission.accept(conn, "127.0.0.1", 0.0) == ()
        admission.establish(conn)


def test_leaving_gives_everything_back() -> None:
    admission = _full(established=True)
    for conn in _conns(1, 2, 3, 4, 5, 6):
        admission.leave(conn)
    for conn in _conns(11, 12):
        assert admission.accept(conn, "10.0.0.1", 0.0) == ()


def test_strangers_who_only_just_came_are_waited_for() -> None:
    admission = Admission(SETTINGS)
    assert not admission.crowded(0.0)
    for conn in _conns(1, 2, 3):
        admission.accept(conn, "127.0.0.1", 5.0)
    assert admission.crowded(5.0)
    assert not admission.crowded(5.01 + HELLO_GRACE_S)


def test_a_hello_ends_the_crowd() -> None:
    admission = Admission(SETTINGS)
    for conn in _conns(1, 2, 3):
        admission.accept(conn, "127.0.0.1", 5.0)
    admission.hello_said(ConnId(3))
    assert not admission.crowded(5.0)


def test_some_seats_are_kept_for_those_whom_we_dial() -> None:
    admission = Admission(replace(SETTINGS, kept_for_dialed=2))
    for conn in _conns(1, 2, 3, 4):
        assert admission.accept(conn, f"10.0.0.{conn}", 0.0) == ()
        admission.establish(conn)
    assert admission.accept(ConnId(5), "10.0.0.5", 0.0) is None
    for conn in _conns(6, 7):
        assert admission.dialed(conn, f"10.0.0.{conn}") == ()
    assert admission.dialed(ConnId(8), "10.0.0.8") is None


def test_a_seat_that_a_dialed_one_has_is_not_kept_for_another() -> None:
    admission = Admission(replace(SETTINGS, kept_for_dialed=1))
    assert admission.dialed(ConnId(1), "10.0.0.1") == ()
    for conn in _conns(2, 3, 4, 5, 6):
        assert admission.accept(conn, f"10.0.0.{conn}", 0.0) == ()
        admission.establish(conn)
    assert admission.accept(ConnId(7), "10.0.0.7", 0.0) is None
    admission.leave(ConnId(1))
    admission.leave(ConnId(2))
    assert admission.accept(ConnId(7), "10.0.0.7", 0.0) == ()
    admission.establish(ConnId(7))
    assert admission.accept(ConnId(8), "10.0.0.8", 0.0) is None
