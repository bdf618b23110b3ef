"""Settings files: read or refused in a sentence, and changing one value changes nothing else."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from typing import Any

from admin.cli.settings import _file_values
from admin.tuning import Tuning
from tests.fuzz.scratch import file_of


def one_input(data: bytes) -> None:
    path = file_of("settings.toml", data)
    text = ""
    with suppress(ValueError):
        text = path.read_text(encoding="utf-8")
        _file_values(path)
    try:
        with Tuning(file=path).persisting("threads", 3):
            pass
    except OSError:
        assert path.read_bytes() == data
        return
    before, after = _table(text), _table(path.read_text(encoding="utf-8"))
    assert after.pop("threads") == 3
    before.pop("threads", None)
    assert before == after


def _table(text: str) -> dict[str, Any]:
    """What a text says, with floats as they are spelled: a NaN equals nothing."""
    return tomllib.loads(text, parse_float=str)
