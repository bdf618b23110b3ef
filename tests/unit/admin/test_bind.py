"""Where the admin server may listen."""

from __future__ import annotations

import socket

import pytest

from admin.bind import AdminBindError, loopback, unbound


@pytest.mark.parametrize(
    ("listen", "bound"),
    [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.9.8.7:50051", "127.9.8.7:50051"),
        ("[::1]:50051", "[::1]:50051"),
        ("localhost:50051", "127.0.0.1:50051"),
    ],
)
def test_the_loopback_interface_is_accepted(listen: str, bound: str) -> None:
    assert loopback(listen) == bound


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:50051", "[::]:50051", "192.168.1.4:1", "node.example:50051", ":50051"]
)
def test_any_other_interface_is_refused(listen: str) -> None:
    with pytest.raises(AdminBindError, match="loopback interface only"):
        loopback(listen)


@pytest.mark.parametrize(
    "listen", ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536"]
)
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(AdminBindError, match="host:port"):
        loopback(listen)


@pytest.mark.parametrize(
    "listen", ["::1:50051", "[127.0.0.1]:50051", "[::1:50051", "[localhost]:1"]
)
def test_brackets_are_for_an_ipv6_address_and_for_no_other(listen: str) -> None:
    with pytest.raises(AdminBindError, match="brackets"):
        loopback(listen)


def test_an_address_is_in_use_only_where_another_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        assert f"{taken} is in use" in str(unbound(taken))
    assert "127.0.0.1:0 cannot be bound" in str(unbound("127.0.0.1:0"))
