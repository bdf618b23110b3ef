"""A node that says at once what it has confirmed, for a process that is killed (`cuts`).

    python -m tests.support.cut_node DATA_DIR LISTEN PEER KEEP_HISTORY

On its output: ``up NUMBER HASH`` once it plays, then ``tip NUMBER HASH`` whenever it tells of a new tip, each
written before the node goes on. It stops in order when its input ends.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from actors.chain.messages import GetChain, TipMoved
from actors.config import ChainSettings, PeersSettings, Settings
from actors.ledger.types import BlockRef
from actors.node import Node
from actors.runtime.events import Event, Follow
from tests.support.story import STORY_NETWORK

OUTPUT = 1
ANSWER_TIMEOUT_S = 30.0


def say(word: str, tip: BlockRef) -> None:
    os.write(OUTPUT, f"{word} {tip.number} {tip.hash.hex()}\n".encode())


def on_event(event: Event) -> None:
    if isinstance(event.body, TipMoved):
        say("tip", event.body.tip)


def main() -> None:
    data_dir, listen, peer, keep_history = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING)
    settings = Settings(
        data_dir=Path(data_dir),
        network=STORY_NETWORK,
        listen=listen,
        peers=PeersSettings(bootstrap=(peer,), redial_first_s=0.1, redial_most_s=0.5),
        chain=ChainSettings(keep_history=int(keep_history)),
    )
    node = Node(settings)
    node.start()
    follow = Follow("cuts", on_event)
    assert node.addresses.events.ask(follow, timeout_s=ANSWER_TIMEOUT_S) is not None
    say("up", node.addresses.chain.ask(GetChain(), timeout_s=ANSWER_TIMEOUT_S).tip)
    sys.stdin.read()
    node.stop()


if __name__ == "__main__":
    main()
