"""Real processes on loopback: mine, pay, join late, stop, start again, part and meet."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.process import NodeProcess, easy_network_file, troupe


@pytest.fixture
def network_file(tmp_path: Path) -> str:
    return str(easy_network_file(tmp_path))


def run(folder: Path, network_file: str, *peers: NodeProcess) -> NodeProcess:
    bootstrap = [word for peer in peers for word in ("--peer", peer.listen_address)]
    return NodeProcess(folder, "--network-file", network_file, *bootstrap)


def test_a_payment_arrives_a_third_node_catches_up_and_all_come_back(
    tmp_path: Path, network_file: str
) -> None:
    folders = [tmp_path / name for name in "abc"]
    with run(folders[0], network_file) as a, run(folders[1], network_file, a) as b:
        a.generate(3)
        b.await_tip(a.tip_hash())
        sent = troupe("send", b.wallet_address(), "1234", "--data-dir", str(a.data_dir))
        assert sent.returncode == 0, sent.stderr
        a.generate(1)
        b.await_tip(a.tip_hash())
        height, payer, payee = a.height(), a.wallet_address(), b.wallet_address()
        for node in (a, b):
            assert node.account(payer, height) == (4 * 10_000 - 1234, 1)
            assert node.account(payee, height) == (1234, 0)
        with run(folders[2], network_file, a) as c:
            c.await_tip(a.tip_hash())
            tip_hash = a.tip_hash()
            assert [node.stop() for node in (c, b, a)] == [0, 0, 0]
    again = [run(folder, network_file) for folder in folders]
    try:
        assert [node.tip_hash() for node in again] == [tip_hash] * 3
        assert again[2].account(payee) == (1234, 0)
    finally:
        for node in again:
            assert node.stop(signal.SIGINT) == 0


def test_two_miners_that_were_apart_end_on_the_longer_chain(
    tmp_path: Path, network_file: str
) -> None:
    with run(tmp_path / "a", network_file) as a:
        with run(tmp_path / "b", network_file, a) as b:
            a.generate(1)
            b.await_height(1)  # else it may mine one of its own beside it
            b.generate(1)
            a.await_height(2)
            assert b.stop() == 0
        (tmp_path / "b" / "addresses").unlink()  # it would find the other by itself
        with run(tmp_path / "b", network_file) as b:
            payment = b.transfer(a.wallet_address(), 77)
            b.generate(2)
            assert b.included(payment)
            a.generate(5)
            assert (a.height(), b.height()) == (7, 4)
            b.connect(a)
            b.await_tip(a.tip_hash())
            b.await_that(lambda: b.included(payment) or payment in b.pooled())
            b.generate(1)
            a.await_tip(b.tip_hash())
            assert b.included(payment)
            assert a.included(payment)


def test_a_killed_miner_opens_a_sound_store_and_goes_on(tmp_path: Path, network_file: str) -> None:
    folder, height = tmp_path / "miner", 0
    for _ in range(5):
        with NodeProcess(folder, "--network-file", network_file, "--mine") as node:
            assert node.height() >= height
            node.await_height(height + 5)
            height = node.height()
            node.kill()
        verified = troupe("verify", "--data-dir", str(folder))
        assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_second_node_on_a_directory_or_port_fails_with_one_sentence(
    tmp_path: Path, network_file: str
) -> None:
    with run(tmp_path / "a", network_file) as a:
        arguments = ("run", "--network-file", network_file, "--admin", "127.0.0.1:0")
        on_directory = troupe(*arguments, "--listen", "127.0.0.1:0", "--data-dir", str(a.data_dir))
        on_port = troupe(
            *arguments, "--listen", a.listen_address, "--data-dir", str(tmp_path / "b")
        )
        on_admin = troupe(
            *("run", "--network-file", network_file, "--listen", "127.0.0.1:0"),
            *("--admin", a.admin_address, "--data-dir", str(tmp_path / "c")),
        )
        outside = troupe(
            *("run", "--network-file", network_file, "--listen", "127.0.0.1:0"),
            *("--admin", "0.0.0.0:0", "--data-dir", str(tmp_path / "d")),
        )
        for failed, word in (
            (on_directory, "another troupe node"),
            (on_port, "in use"),
            (on_admin, "in use"),
        ):
            assert failed.returncode == 1
            assert word in failed.stderr
            assert len(failed.stderr.strip().splitlines()) == 1, failed.stderr
        assert outside.returncode == 2
        assert "loopback" in outside.stderr
        assert a.height() == 0


def test_a_store_of_another_network_is_refused(tmp_path: Path, network_file: str) -> None:
    with run(tmp_path / "a", network_file) as a:
        assert a.stop() == 0
    refused = troupe("run", "--network", "dev", "--data-dir", str(tmp_path / "a"))
    assert refused.returncode == 1
    assert "network" in refused.stderr
