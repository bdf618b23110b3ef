"""TOML files of the user's.

Must not live here: what one may say (``cli.settings``, ``cli.profiles``, ``actors.ledger.network``).
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any


def read_toml(path: Path) -> dict[str, Any]:
    """The table of a file.

    Raises:
        ValueError: it cannot be read, or is no TOML; the words go on after its name.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:  # some hundred brackets are enough
        message = "it is nested too deeply"
        raise ValueError(message) from error
    except OSError as error:
        raise ValueError(str(error)) from error
