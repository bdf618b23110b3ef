"""When a crowd of hostile peers ends: also where it has nobody to attack."""

from __future__ import annotations

import multiprocessing
import socket

import pytest

from tests.support.chains import EASY
from tests.support.hostile_crowd import Crowd, Plan


def test_a_crowd_whose_node_and_whose_parent_are_gone_ends() -> None:
    with socket.socket() as nobody:  # which does not listen
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        crowd = Crowd(Plan(address, EASY, 3, 10, polite=False, away_s=0.1, rich=(), seed=1))
        parent, own = multiprocessing.Pipe()
        parent.close()
        with own, pytest.raises(EOFError):
            crowd.run(own)
