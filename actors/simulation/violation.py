"""What must never happen in a simulated world has happened."""

from __future__ import annotations

from typing import NoReturn


class ViolationError(BaseException):
    """An invariant does not hold. No actor may catch it: the run ends here.

    Attributes:
        text: What was found, for people.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def violated(text: str) -> NoReturn:
    """Say what does not hold.

    Raises:
        ViolationError: With that text.
    """
    raise ViolationError(text)
