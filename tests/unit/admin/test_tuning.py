"""The settings of a running node, and the file that keeps changes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from admin.tuning import Setting, Source, Tuning, as_text

THREADS = Setting("threads", "1", Source.DEFAULT, parse=int)
COINBASE = Setting("coinbase", "", Source.DEFAULT, parse=str)
FILE = """# my node
threads = 4 # as many as cores

[later]
unknown = "kept"
"""


def test_settings_are_listed_by_name() -> None:
    assert [each.name for each in Tuning((THREADS, COINBASE)).all()] == ["coinbase", "threads"]


def test_another_value_is_of_the_run_and_the_same_one_is_no_change() -> None:
    tuning = Tuning((THREADS,))
    tuning.note("threads", 1)
    assert tuning.get("threads") == THREADS
    tuning.note("threads", 2)
    changed = tuning.get("threads")
    assert changed is not None
    assert (changed.value, changed.source) == ("2", Source.RUNTIME)


def test_what_an_empty_value_comes_to_has_its_source_still() -> None:
    tuning = Tuning((THREADS, COINBASE))
    for name in ("coinbase", "threads", "nothing"):
        tuning.fill(name, "ab")
    coinbase, threads = tuning.all()
    assert (coinbase.value, coinbase.source) == ("ab", Source.DEFAULT)
    assert threads.value == "1"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (False, "false"), (3, "3"), (("a", "b"), "a,b"), (Path("x"), "x")],
)
def test_values_are_written_as_people_do(value: object, text: str) -> None:
    assert as_text(value) == text


def test_a_change_keeps_the_rest_of_the_file_and_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(FILE)
    file.chmod(0o640)
    with Tuning((THREADS,), file=file).persisting("threads", 2):
        assert file.read_text() == FILE
    assert file.read_text() == FILE.replace("threads = 4", "threads = 2")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]


def test_a_new_key_stands_before_the_tables_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(FILE)
    tuning = Tuning((THREADS,), file=file)
    with tuning.persisting("mine", value=True):
        pass
    assert file.read_text().index("mine = true") < file.read_text().index("[later]")


def test_a_file_behind_a_link_is_changed_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    real, link = tmp_path / "kept" / "node.toml", tmp_path / "settings.toml"
    real.write_text("threads = 1\n")
    link.symlink_to(real)
    with Tuning(file=link).persisting("threads", 2):
        pass
    assert link.is_symlink()
    assert real.read_text() == "threads = 2\n"


def test_a_file_that_is_absent_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    with Tuning((THREADS,), file=file).persisting("threads", 2):
        pass
    assert file.read_text() == "threads = 2\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_file_stays_as_it_was_when_the_change_fails(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(FILE)
    with pytest.raises(RuntimeError), Tuning(file=file).persisting("threads", 2):
        raise RuntimeError
    assert file.read_text() == FILE
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]


@pytest.mark.parametrize("content", [b"threads = ", b"\xff", b"threads = 3\v\n"])
def test_a_file_that_is_no_toml_is_refused_before_anything_is_changed(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    with pytest.raises(OSError, match=r"settings\.toml is no TOML"):
        _change(Tuning(file=file))
    assert file.read_bytes() == content


def test_without_a_file_nothing_can_be_persisted() -> None:
    with pytest.raises(OSError, match="no settings file"):
        _change(Tuning())


def _change(tuning: Tuning) -> None:
    with tuning.persisting("threads", 2):
        pytest.fail("the change was made")
