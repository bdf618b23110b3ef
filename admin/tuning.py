"""The settings of a running node: what each is, where that comes from, and the file that keeps changes.

Reading flags, variables and files is the command's business (``cli.settings``); what a change does to the
actors is the service's (``services.settings``).
"""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from actors.runtime.files import PRIVATE_MODE, write_whole

DRAFT_SUFFIX = ".draft"


class Source(Enum):
    """Where a value came from."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    FLAG = "flag"
    RUNTIME = "runtime"


Value = bool | int | str
"""What a mutable setting can hold."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is now.

    Attributes:
        name: Key in the settings file.
        value: Its value as text; empty: none.
        default: What it is when nobody sets it, as text or in words.
        help: What it does, a sentence.
        parse: From text to the value that the file and the actors take; ValueError with the words to go on
            after its name. None: it is fixed while the node runs.
    """

    name: str
    value: str
    source: Source
    default: str = ""
    help: str = ""
    flag: str = ""
    variable: str = ""
    parse: Callable[[str], Value] | None = None


class Tuning:
    """All settings of one node. On one thread once the node runs: the admin server's."""

    def __init__(
        self,
        settings: Iterable[Setting] = (),
        *,
        file: Path | None = None,
        set_log_level: Callable[[str], None] | None = None,
    ) -> None:
        """Args:
        file: What `UpdateSetting` persists to, absent or not; None: nothing can be persisted.
        set_log_level: Applies a change of ``log_level``.
        """
        self._settings = {each.name: each for each in sorted(settings, key=lambda each: each.name)}
        self._file = file
        self.set_log_level = set_log_level

    def all(self) -> Sequence[Setting]:
        """By name."""
        return tuple(self._settings.values())

    def get(self, name: str) -> Setting | None:
        return self._settings.get(name)

    def fill(self, name: str, value: Value) -> None:
        """What a setting without a value comes to; its source stays."""
        setting = self._settings.get(name)
        if setting is not None and not setting.value:
            self._settings[name] = replace(setting, value=as_text(value))

    def note(self, name: str, value: Value) -> None:
        """A setting has another value while the node runs; the value that it has already is no change."""
        setting = self._settings.get(name)
        if setting is not None and setting.value != (text := as_text(value)):
            self._settings[name] = replace(setting, value=text, source=Source.RUNTIME)

    @contextlib.contextmanager
    def persisting(self, name: str, value: Value) -> Iterator[None]:
        """Put a value into the file once the block has run without an exception. All that can fail is done
        before: the new file lies ready then.

        Raises:
            OSError: the file cannot be read, is no TOML, or cannot be written; the block has not run.
        """
        if self._file is None:
            message = "the node has no settings file"
            raise OSError(message)
        file = self._file.resolve()  # a link stays one
        draft = file.with_name(file.name + DRAFT_SUFFIX)
        mode = file.stat().st_mode & 0o777 if file.exists() else PRIVATE_MODE
        write_whole(draft, _with_value(file, name, value).encode(), mode=mode)
        try:
            yield
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)


def as_text(value: object) -> str:
    """A value as people write it: a number in decimal, ``true`` or ``false``, a list with commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return ",".join(map(as_text, value))
    return str(value)


def _with_value(file: Path, name: str, value: Value) -> str:
    """The text of the file with one value changed, and all else as it was."""
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        tomllib.loads(text)  # as the next start reads it: tomlkit lets more pass
        document = tomlkit.parse(text)
    except (TOMLKitError, ValueError, RecursionError) as error:
        message = f"{file.name} is no TOML: {error}"
        raise OSError(message) from error
    document[name] = value
    return tomlkit.dumps(document)
