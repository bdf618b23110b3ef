"""An exception as text: all that Python says of it, and of what it says itself the beginning."""

from __future__ import annotations

import traceback

from actors.runtime.tracebacks import MAX_PART_CHARS, traceback_of


def raised(error: Exception) -> Exception:
    """With a traceback and a cause."""
    try:
        raise error from OSError(28, "no space")
    except type(error) as caught:
        return caught


def test_it_is_what_python_prints() -> None:
    error = raised(ValueError("a bug"))
    error.add_note("and while letting go: nothing")
    assert traceback_of(error) == "".join(traceback.format_exception(error))


def test_of_what_an_exception_says_at_length_its_beginning_is_left() -> None:
    text = traceback_of(raised(KeyError(bytes(2**20))))
    assert "no space" in text
    assert "in raised" in text
    assert text.splitlines()[-1].startswith("KeyError: b'\\x00")
    assert len(text) < 3 * MAX_PART_CHARS
