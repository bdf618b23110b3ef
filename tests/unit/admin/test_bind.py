"""Where the admin server may listen."""

from __future__ import annotations

import socket

import pytest

from admin.bind import AdminBindError, bindable, is_local, parts_of, reachable, unbound

PUBLIC = ["0.0.0.0:50051", "[::]:50051", "192.168.1.4:1"]


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    ("listen", "bound"),
    [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.9.8.7:50051", "127.9.8.7:50051"),
        ("[::1]:50051", "[::1]:50051"),
        ("localhost:50051", "127.0.0.1:50051"),
    ],
)
def test_the_loopback_interface_is_accepted(listen: str, bound: str, tls: bool) -> None:
    assert bindable(listen, tls=tls) == bound


@pytest.mark.parametrize("listen", [*PUBLIC, "node.example:50051", ":50051"])
def test_any_other_interface_is_refused_without_tls(listen: str) -> None:
    with pytest.raises(AdminBindError, match=r"loopback interface only.*add --tls"):
        bindable(listen, tls=False)


@pytest.mark.parametrize("listen", PUBLIC)
def test_any_other_interface_is_accepted_with_tls(listen: str) -> None:
    assert bindable(listen, tls=True) == listen


@pytest.mark.parametrize("listen", ["node.example:50051", ":50051"])
def test_a_name_is_no_interface(listen: str) -> None:
    with pytest.raises(AdminBindError, match="an IP address, not on the name"):
        bindable(listen, tls=True)


@pytest.mark.parametrize(
    "listen", ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536"]
)
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(AdminBindError, match="host:port"):
        parts_of(listen)


@pytest.mark.parametrize(
    "listen", ["::1:50051", "[127.0.0.1]:50051", "[::1:50051", "[localhost]:1"]
)
def test_brackets_are_for_an_ipv6_address_and_for_no_other(listen: str) -> None:
    with pytest.raises(AdminBindError, match="in brackets"):
        parts_of(listen)


@pytest.mark.parametrize(
    ("bound", "called"),
    [
        ("0.0.0.0:7", "127.0.0.1:7"),
        ("[::]:7", "[::1]:7"),
        ("192.0.2.1:7", "192.0.2.1:7"),
        ("127.0.0.1:7", "127.0.0.1:7"),
    ],
)
def test_what_is_bound_can_be_called_from_here(bound: str, called: str) -> None:
    assert reachable(bound) == called


def test_what_can_only_be_this_machine_is_local() -> None:
    assert all(map(is_local, ("127.0.0.1:1", "127.3.2.1:1", "[::1]:1", "localhost:1")))
    assert not any(map(is_local, (*PUBLIC, "node.example:1")))


def test_an_address_is_in_use_only_where_another_has_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        assert f"{taken} is in use" in str(unbound(taken))
    assert "127.0.0.1:0 cannot be bound" in str(unbound("127.0.0.1:0"))
