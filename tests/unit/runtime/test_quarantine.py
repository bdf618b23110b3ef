from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from actors.runtime.quarantine import (
    MAX_ERROR_CHARS,
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


def test_the_number_of_what_is_cleared_comes_never_again() -> None:
    quarantine = Quarantine()
    for number in range(3):
        quarantine.take(find(number))
    quarantine.answer(ClearQuarantine(3))
    quarantine.take(find(7))
    assert [each.id for each in kept(quarantine)] == [1, 2, 4]
    quarantine.answer(ClearQuarantine(None))
    quarantine.take(find(8))
    assert [each.id for each in kept(quarantine)] == [5]


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
        assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}

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
        assert list((tmp_path / "quarantine").glob("*.json")) == []

    def test_its_number_is_gone_with_it_for_the_next_process_too(self, tmp_path: Path) -> None:
        quarantine = self.open(tmp_path)
        for number in range(3):
            quarantine.take(find(number))
        quarantine.answer(ClearQuarantine(3))
        again = self.open(tmp_path)
        again.take(find(7))
        assert [each.id for each in kept(again)] == [1, 2, 4]
        again.answer(ClearQuarantine(None))
        last = self.open(tmp_path)
        last.take(find(8))
        assert [each.id for each in kept(last)] == [5]

    @pytest.mark.parametrize("note", [None, b"", b"one", b"000000\n", b"9" * 400, b"\xff"])
    def test_without_a_note_of_the_last_number_the_files_tell_it(
        self, tmp_path: Path, note: bytes | None
    ) -> None:
        quarantine = self.open(tmp_path)
        for number in range(2):
            quarantine.take(find(number))
        place = tmp_path / "quarantine" / "last"
        place.unlink()
        if note is not None:
            place.write_bytes(note)
        again = self.open(tmp_path)
        again.take(find(7))
        assert [each.id for each in kept(again)] == [1, 2, 3]

    @pytest.mark.parametrize(
        "data", [b"", b"{", b"[]", b'{"at_s": 1}', b"\xff" * 20, b"[" * 100_000]
    )
    def test_a_damaged_file_stays_and_is_shown_as_damaged(
        self, tmp_path: Path, data: bytes
    ) -> None:
        folder = tmp_path / "quarantine"
        self.open(tmp_path).take(FIND)
        (folder / "000002.json").write_bytes(data)
        quarantine = self.open(tmp_path)
        assert quarantine.take(find(7))
        first, damaged, new = kept(self.open(tmp_path))
        assert (first.find, new.find) == (FIND, find(7))
        assert (damaged.id, damaged.size_bytes, new.id) == (2, len(data), 3)
        assert damaged.find.error.startswith("its file is damaged: ")
        assert (folder / "000002.json").read_bytes() == data

    def test_a_file_that_cannot_be_read_is_shown_as_damaged(self, tmp_path: Path) -> None:
        (tmp_path / "quarantine" / "000004.json").mkdir(parents=True)
        (damaged,) = kept(self.open(tmp_path))
        assert damaged.id == 4
        assert damaged.find.error.startswith("its file is damaged: ")

    def test_what_is_said_of_damage_does_not_quote_all_of_the_file(self, tmp_path: Path) -> None:
        self.open(tmp_path).take(FIND)
        place = tmp_path / "quarantine" / "000001.json"
        place.write_bytes(place.read_bytes().replace(b"3.0", b'"%b"' % (b"x" * 100_000)))
        (damaged,) = kept(self.open(tmp_path))
        assert "xxx" in damaged.find.error
        assert len(damaged.find.error) == MAX_ERROR_CHARS

    def test_damaged_files_have_the_same_bound_the_oldest_out_first(self, tmp_path: Path) -> None:
        folder = tmp_path / "quarantine"
        folder.mkdir()
        for number in range(1, MAX_EXHIBITS + 3):
            (folder / f"{number:06d}.json").write_bytes(b"{")
        assert [each.id for each in kept(self.open(tmp_path))] == list(range(3, MAX_EXHIBITS + 3))
        assert len(list(folder.iterdir())) == MAX_EXHIBITS

    def test_a_damaged_one_is_cleared_as_any_other(self, tmp_path: Path) -> None:
        folder = tmp_path / "quarantine"
        folder.mkdir()
        (folder / "000001.json").write_bytes(b"{")
        assert self.open(tmp_path).answer(ClearQuarantine(1)) == 1
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize(
        "name",
        ["notes", "1", "0000001", "000000", "-00001", "1_0000", " 00001", "1" * 30, "\u0660" * 6],
    )
    def test_somebody_elses_file_is_left_alone(self, tmp_path: Path, name: str) -> None:
        folder = tmp_path / "quarantine"
        folder.mkdir()
        other = folder / f"{name}.json"
        other.write_bytes(b"mine")
        quarantine = self.open(tmp_path)
        assert kept(quarantine) == ()
        assert quarantine.take(FIND)
        assert [each.id for each in kept(quarantine)] == [1]
        assert quarantine.answer(ClearQuarantine(None)) == 1
        assert other.read_bytes() == b"mine"

    def test_a_disk_that_refuses_costs_only_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "quarantine").write_bytes(b"a file where the directory should be")
        quarantine = self.open(tmp_path)
        assert quarantine.take(FIND)
        assert quarantine.refused == {FIND.fingerprint}
        assert len(kept(quarantine)) == 1
