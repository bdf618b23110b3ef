"""Saved bans, addresses and transactions: no file keeps a node from starting, and what is saved is loaded."""

from __future__ import annotations

import random

from actors.config import MempoolSettings
from actors.ledger.types import Account
from actors.mempool.pool import Pool
from actors.mempool.vetting import Vetting
from actors.peers.bans import MAX_BAN_S, MAX_BANS, BanList
from actors.peers.book import AddressBook
from actors.peers.messages import KnownAddress, PeerId
from admin.convert_peers import known_address
from tests.fuzz.money import addresses
from tests.support.ledger import EASY_MAIN, lookup

NOW_S, WALL_S = 1_000.0, 1_700_000_000.0
CAPACITY = 8


def one_input(data: bytes) -> None:
    lines = data.splitlines()  # as the file is read
    load_bans(lines)
    load_book(lines)
    load_pool(lines)


def load_bans(lines: list[bytes]) -> None:
    bans, again = BanList(), BanList()
    bad = bans.load(lines, now_s=NOW_S, wall_s=WALL_S)
    listed = bans.listing(now_s=NOW_S, wall_s=WALL_S)
    assert len(listed) + bad <= len(lines)
    assert len(listed) <= MAX_BANS
    assert all(0 < ban.until_s - WALL_S <= MAX_BAN_S for ban in listed)
    saved = list(bans.lines(now_s=NOW_S, wall_s=WALL_S))
    assert b"\n".join(saved).splitlines() == saved
    assert again.load(saved, now_s=NOW_S, wall_s=WALL_S) == 0
    kept = again.listing(now_s=NOW_S, wall_s=WALL_S)
    assert [ban.target for ban in kept] == [
        ban.target for ban in listed if ban.until_s > WALL_S + 0.001
    ]


def load_book(lines: list[bytes]) -> None:
    def empty() -> AddressBook:
        return AddressBook(
            own=PeerId("127.0.0.1:1"),
            bootstrap=(PeerId("127.0.0.1:2"),),
            capacity=CAPACITY,
            redial_first_s=2.0,
            redial_most_s=64.0,
            rng=random.Random(1),
        )

    book, again = empty(), empty()
    bad = book.load(lines, now_s=NOW_S, wall_s=WALL_S)
    assert 0 <= bad <= len(lines)
    assert len(book) <= CAPACITY + 1
    for address, entry in book.items():  # as the admin API shows them
        answered_s = None if entry.answered_s is None else WALL_S - NOW_S + entry.answered_s
        shown = KnownAddress(
            address,
            entry.source,
            answered_s,
            entry.failures,
            WALL_S - NOW_S + entry.due_s,
            False,
            False,
        )
        known_address(shown).SerializeToString()
    saved = list(book.lines(now_s=NOW_S, wall_s=WALL_S))
    assert b"\n".join(saved).splitlines() == saved
    assert again.load(saved, now_s=NOW_S, wall_s=WALL_S) == 0
    known = {address: entry.failures for address, entry in book.items()}
    assert {address: entry.failures for address, entry in again.items()} == known
    for address in book.due(NOW_S + 3_600.0, 2, ()):
        book.failed(address, NOW_S)
        book.answered(address, NOW_S)


def load_pool(lines: list[bytes]) -> None:
    accounts = {address: Account(100) for address in addresses("main")}
    pool = Pool(MempoolSettings(), Vetting(EASY_MAIN), lookup(accounts))
    again = Pool(MempoolSettings(), Vetting(EASY_MAIN), lookup(accounts))
    pool.admit_all(lines, now_s=NOW_S)
    again.admit_all(list(pool.lines()), now_s=NOW_S)
    assert again.info() == pool.info()
