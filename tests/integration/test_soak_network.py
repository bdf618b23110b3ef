"""The soak of a whole network, in seconds: nodes that come and go end on one tip, with chains that verify."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.memory import Sample
from tests.soak.network import soak
from tests.support.usage import held

MINUTES = 0.2
NODES = 3


@pytest.mark.timeout(900)
def test_nodes_that_come_and_go_end_on_one_tip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # its samples go to the directory that it is run in
    said: list[str] = []
    figures = soak(MINUTES, NODES, 1, said.append)
    missed = [figure.line() for figure in figures if figure.is_met is False]
    assert not missed, (missed, said)
    lines = (tmp_path / "build" / "soak_network.jsonl").read_text().splitlines()
    samples = [Sample(**json.loads(line)) for line in lines]
    assert len(samples) > NODES
    weighed = {each.node for each in samples if 0 < each.in_use_bytes < each.memory_bytes}
    assert weighed == {0}, "it lives one life, the others do not"


def test_of_a_node_that_was_killed_a_moment_ago_no_sample_is_taken() -> None:
    with subprocess.Popen((sys.executable, "-c", "input()"), stdin=subprocess.PIPE) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(OSError, match=str(process.pid)):  # which the sampler knows
            held(process.pid)
