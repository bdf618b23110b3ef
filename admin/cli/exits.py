"""How the command ends: its exit codes, and the error that carries one with a sentence."""

from __future__ import annotations

from enum import IntEnum

import click


class ExitCode(IntEnum):
    """What scripts may rely on; each member's docstring is what ``troupe --help`` says of it."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REJECTED = 4
    UNAUTHORISED = 5
    TRY_AGAIN = 6
    TIMED_OUT = 7
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """A few words for the help page."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "failed, or no node is running",
    ExitCode.USAGE: "the command was not used rightly",
    ExitCode.NOT_FOUND: "no such block, transaction or peer",
    ExitCode.REJECTED: "the node checked it and said no",
    ExitCode.UNAUTHORISED: "the token is missing, wrong or may not do this",
    ExitCode.TRY_AGAIN: "busy, full or stopping: the same call may succeed later",
    ExitCode.TIMED_OUT: "no answer in time; it may have been done",
    ExitCode.INTERRUPTED: "interrupted from the keyboard",
}


class CliError(click.ClickException):
    """Ends the command with one sentence on stderr.

    Attributes:
        reason: The ``ErrorReason`` of a refused call, such as "TX_REJECTED"; empty for our own errors.
    """

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED, *, reason: str = "") -> None:
        super().__init__(message)
        self.exit_code = int(code)  # type: ignore[misc] # click reads it off the instance
        self.reason = reason

    def format_message(self) -> str:
        return f"{self.message} [{self.reason}]" if self.reason else self.message
