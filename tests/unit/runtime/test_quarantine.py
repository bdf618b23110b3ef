from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from actors.runtime.quarantine import (
    MAX_EXHIBITS,
    MAX_REFUSED,
    MAX_TOTAL_BYTES,
    ClearQuarantine,
    Exhibit,
    FileCabinet,
    Find,
    Frame,
    GetQuarantined,
    ListQuarantine,
    Quarantine,
)

FIND = Find(
    actor="mempool",
    letter="GossipReceived",
    error="Traceback\nZeroDivisionError",
    peer="192.0.2.7:1",
    frames=(Frame("gossip:bc:new_tx", b"\x00\xffx"),),
    fingerprint=bytes(32),
)


def find(number: int) -> Find:
    return replace(FIND, fingerprint=number.to_bytes(32))


def kept(quarantine: Quarantine) -> tuple[Exhibit, ...]:
    answer = quarantine.answer(ListQuarantine())
    assert isinstance(answer, tuple)
    return answer


def test_a_find_is_kept_with_its_time_and_refused() -> None:
    quarantine = Quarantine(version="1", wall_s=lambda: 7.5)
    assert quarantine.take(FIND)
    assert kept(quarantine) == (Exhibit(1, 7.5, "1", FIND),)
    assert quarantine.answer(GetQuarantined(1)) == kept(quarantine)[0]
    assert quarantine.answer(GetQuarantined(2)) is None
    assert quarantine.refused == {FIND.fingerprint}


def test_the_same_content_is_kept_once() -> None:
    quarantine = Quarantine()
    assert quarantine.take(FIND)
    assert not quarantine.take(replace(FIND, peer="192.0.2.8:1"))
    assert len(kept(quarantine)) == 1


def test_what_could_not_be_tried_again_is_kept_and_not_refused() -> None:
    quarantine = Quarantine()
    unsure = replace(FIND, fingerprint=b"")
    assert quarantine.take(unsure)
    assert quarantine.take(unsure)
    assert len(kept(quarantine)) == 2
    assert quarantine.refused == frozenset()


def test_the_oldest_makes_room_and_is_refused_all_the_same() -> None:
    quarantine = Quarantine()
    for number in range(MAX_EXHIBITS + 3):
        quarantine.take(find(number))
    assert [each.id for each in kept(quarantine)] == list(range(4, MAX_EXHIBITS + 4))
    assert find(0).fingerprint in quarantine.refused


def test_bytes_have_a_bound_as_well() -> None:
    quarantine = Quarantine()
    large = (Frame("", bytes(MAX_TOTAL_BYTES // 2)),)
    for number in range(4):
        quarantine.take(replace(find(number), frames=large))
    assert len(kept(quarantine)) == 2


def test_refused_contents_have_a_bound() -> None:
    quarantine = Quarantine()
    for number in range(MAX_REFUSED + 5):
        quarantine.take(find(number))
    assert len(quarantine.refused) == MAX_REFUSED
    assert find(0).fingerprint not in quarantine.refused


def test_what_is_cleared_is_let_in_again() -> None:
    quarantine = Quarantine()
    for number in range(3):
        quarantine.take(find(number))
    assert quarantine.answer(ClearQuarantine(2)) == 1
    assert quarantine.answer(ClearQuarantine(2)) == 0
    assert find(1).fingerprint not in quarantine.refused
    assert quarantine.answer(ClearQuarantine(None)) == 2
    assert (kept(quarantine), quarantine.refused) == ((), frozenset())


def test_when_all_is_cleared_so_is_what_had_to_make_room() -> None:
    quarantine = Quarantine()
    for number in range(MAX_EXHIBITS + 1):
        quarantine.take(find(number))
    for exhibit in kept(quarantine):
        quarantine.answer(ClearQuarantine(exhibit.id))
    assert quarantine.refused == {find(0).fingerprint}
    assert quarantine.answer(ClearQuarantine(None)) == 0
    assert quarantine.refused == frozenset()


class TestOnDisk:
    def open(self, folder: Path, version: str = "1") -> Quarantine:
        return Quarantine(FileCabinet(folder / "quarantine"), version=version, wall_s=lambda: 3.0)

    def test_it_outlives_the_process_for_its_owner_alone(self, tmp_path: Path) -> None:
        self.open(tmp_path).take(FIND)
        again = self.open(tmp_path)
        assert kept(again) == (Exhibit(1, 3.0, "1", FIND),)
        assert again.refused == {FIND.fingerprint}
        folder = tmp_path / "quarantine"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert [stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()] == [0o600]

    def test_another_version_keeps_it_and_tries_such_a_message_again(self, tmp_path: Path) -> None:
        self.open(tmp_path).take(FIND)
        newer = self.open(tmp_path, version="2")
        assert len(kept(newer)) == 1
        assert newer.refused == frozenset()
        assert newer.take(FIND)

    def test_what_is_cleared_is_gone_from_the_disk(self, tmp_path: Path) -> None:
        quarantine = self.open(tmp_path)
        quarantine.take(FIND)
        quarantine.answer(ClearQuarantine(None))
        assert list((tmp_path / "quarantine").iterdir()) == []

    @pytest.mark.parametrize(
        "data", [b"", b"{", b"[]", b'{"at_s": 1}', b"\xff" * 20, b"[" * 100_000]
    )
    def test_a_damaged_file_is_left_alone(self, tmp_path: Path, data: bytes) -> None:
        folder = tmp_path / "quarantine"
        folder.mkdir()
        (folder / "000001.json").write_bytes(data)
        (folder / "notes.json").write_bytes(b"mine")
        quarantine = self.open(tmp_path)
        assert kept(quarantine) == ()
        assert quarantine.take(FIND)
        assert (folder / "notes.json").read_bytes() == b"mine"

    def test_a_disk_that_refuses_costs_only_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "quarantine").write_bytes(b"a file where the directory should be")
        quarantine = self.open(tmp_path)
        assert quarantine.take(FIND)
        assert quarantine.refused == {FIND.fingerprint}
        assert len(kept(quarantine)) == 1
