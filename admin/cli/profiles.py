"""Profiles: nodes that are called often, each by a name, in one TOML file of the user's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import platformdirs
import tomlkit

from actors.runtime.files import write_whole
from admin.bind import AdminBindError, parts_of
from admin.cli.exits import CliError, ExitCode
from admin.cli.options import Target
from admin.tomlfiles import read_toml

FILE_VARIABLE: Final = "TROUPE_PROFILES"
MAX_NAME_CHARS: Final = 64
_PATHS: Final = ("data_dir", "token_file", "tls_ca", "tls_client_cert", "tls_client_key")
_TEXTS: Final = ("admin", "expect_network")
_SWITCHES: Final = ("tls",)
_NODE: Final = ("data_dir", "admin")
"""Either says which node it is."""
KEYS: Final = (*_PATHS, *_TEXTS, *_SWITCHES)
"""What a profile can hold: each is the option of that name."""


def profiles_file() -> Path:
    """Where the profiles are: named by the environment, or the platform's place for settings."""
    named = os.environ.get(FILE_VARIABLE)
    return Path(named) if named else platformdirs.user_config_path("troupe") / "profiles.toml"


def resolved(target: Target) -> Target:
    """The target with what its profile says where no option does.

    Raises:
        CliError: there is no such profile, or the file is wrong.
    """
    if target.profile is None:
        return target
    profiles = load()
    if target.profile not in profiles:
        known = ", ".join(profiles) or "there is none"
        message = f"there is no profile {target.profile!r} in {profiles_file()} ({known})"
        raise CliError(message, ExitCode.USAGE)
    profile = profiles[target.profile]
    given = {key: value for key, value in profile.items() if getattr(target, key) is None}
    is_named = any(getattr(target, key) is not None for key in _NODE)
    if is_named and not profile.keys().isdisjoint(_NODE):
        # An option names the node: the profile's token and certificates are for its own one.
        given = {key: value for key, value in given.items() if key == "expect_network"}
    return replace(target, **given)


def load() -> dict[str, Mapping[str, Any]]:
    """All profiles by name.

    Raises:
        CliError: the file cannot be read, or something in it is wrong.
    """
    path = profiles_file()
    if not path.exists():
        return {}
    try:
        table = read_toml(path)
    except ValueError as error:
        message = f"cannot read the profiles {path}: {error}"
        raise CliError(message, ExitCode.USAGE) from error
    return {name: _checked(path, name, entry) for name, entry in table.items()}


def _checked(path: Path, name: str, entry: object) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        message = f"{path}: {name} must be a table, as in [{name}]"
        raise CliError(message, ExitCode.USAGE)
    profile: dict[str, Any] = {}
    for key, value in entry.items():
        wanted = bool if key in _SWITCHES else str
        if key not in KEYS or type(value) is not wanted:
            what = "must be true or false" if key in _SWITCHES else "must be a string"
            fault = what if key in KEYS else "is nothing that a profile can hold"
            message = f"{path}: {key} of {name} {fault}"
            raise CliError(message, ExitCode.USAGE)
        if key == "admin":
            _check_admin(path, name, str(value))
        profile[key] = path.parent / str(value) if key in _PATHS else value
    return profile


def _check_admin(path: Path, name: str, value: str) -> None:
    try:
        parts_of(value)
    except AdminBindError as error:
        message = f"{path}: admin of {name} cannot be called: {error}"
        raise CliError(message, ExitCode.USAGE) from error


def save(name: str, target: Target) -> Mapping[str, Any]:
    """Keep the options of a target under a name; what stood there before goes.

    Raises:
        CliError: no option was given, or the file cannot be written.
    """
    profile = {key: value for key in KEYS if (value := getattr(target, key)) is not None}
    if not profile:
        message = "nothing to save: give --data-dir or --admin, and what else belongs to the node"
        raise CliError(message, ExitCode.USAGE)
    texts = {
        key: str(value.absolute()) if key in _PATHS else value for key, value in profile.items()
    }
    load()  # a file with a fault is not written over
    document = _document()
    document[name] = texts
    _write(document)
    return texts


def remove(name: str) -> None:
    """Forget a profile.

    Raises:
        CliError: there is none of that name, or the file cannot be written.
    """
    if name not in load():
        message = f"there is no profile {name!r} in {profiles_file()}"
        raise CliError(message, ExitCode.NOT_FOUND)
    document = _document()
    del document[name]
    _write(document)


def _document() -> tomlkit.TOMLDocument:
    path = profiles_file()
    return tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()


def _write(document: tomlkit.TOMLDocument) -> None:
    path = profiles_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, tomlkit.dumps(document).encode())
    except OSError as error:
        message = f"cannot write the profiles {path}: {error.strerror or error}"
        raise CliError(message) from error
