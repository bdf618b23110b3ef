from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import actors
from actors.tcp.messages import CloseReason
from actors.tcp.resolver import is_ip, system_resolve
from actors.tcp.sockets import Endpoint, ListenError, endpoint, open_listener, reason_of


def test_a_port_of_the_systems_choice_is_listened_on() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0
        assert not listener.getblocking()


def test_a_port_in_use_is_refused_with_a_sentence() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ListenError, match=f"127.0.0.1:{port}: the port is in use."):
            open_listener("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused_with_a_sentence() -> None:
    with pytest.raises(ListenError, match="does not have that address"):
        open_listener("192.0.2.1", 0)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("..", 1), ("", -1)])
def test_nonsense_is_refused_with_a_sentence(host: str, port: int) -> None:
    with pytest.raises(ListenError, match="Cannot listen on"):
        open_listener(host, port)


def test_an_endpoint_is_written_as_people_write_it() -> None:
    assert str(Endpoint("10.0.0.1", 80)) == "10.0.0.1:80"
    assert str(Endpoint("::1", 80)) == "[::1]:80"


def test_ipv4_in_an_ipv6_dress_is_ipv4() -> None:
    assert endpoint(("::ffff:10.0.0.1", 80, 0, 0)) == Endpoint("10.0.0.1", 80)


def test_a_reset_is_the_others_doing_and_the_rest_is_input_or_output() -> None:
    assert reason_of(ConnectionResetError()) is CloseReason.REMOTE
    assert reason_of(BrokenPipeError()) is CloseReason.REMOTE
    assert reason_of(OSError(113, "no route")) is CloseReason.IO_ERROR


def test_only_literals_need_no_resolving() -> None:
    assert is_ip("127.0.0.1")
    assert is_ip("::1")
    assert not is_ip("localhost")
    assert not is_ip("300.1.1.1")


def test_localhost_resolves_and_prefers_ipv4() -> None:
    assert system_resolve("localhost") == "127.0.0.1"


@pytest.mark.parametrize("host", ["", "a" * 300, "a..b", "nul\0l"])
def test_what_is_no_name_resolves_to_nothing(host: str) -> None:
    assert system_resolve(host) is None


LIMITED = """
import resource
from actors.tcp.sockets import OTHER_FILES, ListenError, allow_connections
resource.setrlimit(resource.RLIMIT_NOFILE, (64, OTHER_FILES + 100))
allow_connections(80)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] - OTHER_FILES)
allow_connections(10)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] - OTHER_FILES)
try:
    allow_connections(101)
except ListenError as error:
    print(error)
"""


def test_the_limit_of_open_files_is_raised_as_far_as_needed_or_the_start_refused() -> None:
    """In a process of its own: a limit that is lowered stays so."""
    done = subprocess.run(
        (sys.executable, "-c", LIMITED),
        cwd=Path(actors.__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    raised, kept, refusal = done.stdout.splitlines()
    assert (raised, kept) == ("80", "80")
    assert refusal.startswith("Cannot serve 101 connections: this process may open ")
    assert "--max-peers" in refusal
