"""Who may import whom (the map in ``actors/__init__.py``), read from the sources, enforced here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {"tcp", "messaging", "peers", "gossip", "search", "mempool", "chain", "miner"}
PURE_FORBIDDEN = {
    "pykka",
    "grpc",
    "threading",
    "socket",
    "sqlite3",
    "time",
    "random",
    "os",
    "pathlib",
}


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, as absolute dotted names."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = package[: len(package) - level + 1] if level else ()
                prefix = ".".join((*base, *([module] if module else [])))
                yield prefix
                yield from (f"{prefix}.{alias.name}" for alias in names)


def sources(folder: str) -> Iterator[tuple[Path, list[str]]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield path, list(imports_of(path))


def offences(folder: str, allowed: object) -> list[str]:
    assert callable(allowed)
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, names in sources(folder)
        for name in names
        if not allowed(path, name)
    ]


def test_runtime_and_ledger_import_no_room() -> None:
    def only_below(path: Path, name: str) -> bool:
        if not name.startswith("actors"):
            return True
        own = f"actors.{path.relative_to(ROOT).parts[1]}"
        return name in {"actors", own} or name.startswith(own + ".")

    assert offences("actors/runtime", only_below) == []
    assert offences("actors/ledger", only_below) == []


def test_the_ledger_is_pure() -> None:
    def pure(_path: Path, name: str) -> bool:
        return name.split(".", 1)[0] not in PURE_FORBIDDEN

    assert offences("actors/ledger", pure) == []


def test_a_room_enters_another_only_by_its_messages() -> None:
    def by_messages(path: Path, name: str) -> bool:
        room, parts = path.relative_to(ROOT).parts[1], name.split(".")
        if parts[0] != "actors" or len(parts) < 2 or parts[1] not in ROOMS or parts[1] == room:
            return True
        return len(parts) >= 3 and parts[2] == "messages"

    for room in sorted(ROOMS):
        assert offences(f"actors/{room}", by_messages) == []


def test_within_a_room_imports_go_from_messages_to_pure_files_to_the_actor() -> None:
    def upwards(path: Path, name: str) -> bool:
        room, file = path.relative_to(ROOT).parts[1], path.stem
        own = f"actors.{room}."
        if file == "messages":
            return not name.startswith(own)
        return file == "actor" or name != f"{own}actor"

    for room in sorted(ROOMS):
        assert offences(f"actors/{room}", upwards) == []


def test_no_room_imports_the_composition_root() -> None:
    def below(_path: Path, name: str) -> bool:
        return not name.startswith(("actors.node", "actors.assembly"))

    for folder in sorted(ROOMS | {"runtime", "ledger"}):
        assert offences(f"actors/{folder}", below) == []


def test_only_the_command_line_and_tests_import_the_simulation() -> None:
    def without(path: Path, name: str) -> bool:
        here = path.relative_to(ROOT).parts
        if here[:2] in {("actors", "simulation"), ("admin", "cli")}:
            return True
        return not name.startswith("actors.simulation")

    assert offences("actors", without) == []
    assert offences("admin", without) == []


def test_the_simulation_imports_nothing_of_a_machine() -> None:
    """No socket, no thread and no process: what it plays follows from the seed."""
    machine = {
        "socket",
        "threading",
        "subprocess",
        "multiprocessing",
        "time",
        "grpc",
        "actors.node",
    }

    def simulated(_path: Path, name: str) -> bool:
        return name not in machine and not name.startswith("actors.node.")

    assert offences("actors/simulation", simulated) == []


def test_only_admin_imports_the_stubs_and_nothing_in_actors_imports_admin() -> None:
    def no_admin(_path: Path, name: str) -> bool:
        return name.split(".", 1)[0] not in {"admin", "troupe", "grpc", "google"}

    assert offences("actors", no_admin) == []


def test_the_stubs_import_nothing_of_ours() -> None:
    def generated(_path: Path, name: str) -> bool:
        return name.split(".", 1)[0] not in {"actors", "admin"}

    assert offences("protos", generated) == []


def test_time_randomness_and_threads_are_injected() -> None:
    """The wall clock lives in the runtime; randomness is made in the composition root."""
    shells = {"actors/runtime/clock.py", "actors/node.py", "actors/assembly.py"}

    def injected(path: Path, name: str) -> bool:
        if path.relative_to(ROOT).as_posix() in shells:
            return True
        return name not in {"time", "time.time", "time.monotonic", "secrets"}

    assert offences("actors", injected) == []
