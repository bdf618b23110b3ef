"""Every served method is permitted to somebody, tested, reachable from the command, and explained."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from admin.cli.client import Client
from admin.permissions import OPEN_METHODS, PERMISSIONS
from tests.support.admin_stage import AdminStage
from tests.support.reflection import served_methods

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos" / "troupe" / "admin" / "v1"
METHODS = [
    (path.read_text(), service, method)
    for path in sorted(PROTOS.glob("*_service.proto"))
    for service in re.findall(r"^service (\w+) \{$", path.read_text(), re.MULTILINE)
    for method in re.findall(r"^  rpc (\w+)\(", path.read_text(), re.MULTILINE)
]
NAMES = [f"{service}/{method}" for _text, service, method in METHODS]


def test_what_is_served_is_what_the_contract_and_the_permissions_name(stage: AdminStage) -> None:
    served = {name for name in served_methods(stage) if name not in OPEN_METHODS}
    ours = {name for name in served if name.startswith("/troupe.")}
    assert ours == {f"/troupe.admin.v1.{name}" for name in NAMES}
    assert served == set(PERMISSIONS)


@pytest.mark.parametrize(("text", "service", "method"), METHODS, ids=NAMES)
def test_its_comment_names_permission_and_example(text: str, service: str, method: str) -> None:
    comment = re.search(rf"((?:^  //.*\n)+)  rpc {method}\(", text, re.MULTILINE)
    assert comment is not None, "it has none"
    permission = PERMISSIONS[f"/troupe.admin.v1.{service}/{method}"]
    assert re.search(rf"Permission: {permission}[., ]", comment[1])
    example = rf"^  //   grpcurl .*\$ADMIN troupe\.admin\.v1\.{service}/{method}(?: [|<].*)?$"
    assert re.search(example, comment[1], re.MULTILINE)


@pytest.mark.parametrize(("service", "method"), [name.split("/") for name in NAMES], ids=NAMES)
def test_a_test_calls_it(service: str, method: str) -> None:
    stub = f"{service}Stub"
    assert any(stub in text and f".{method}(" in text for text in sources(ROOT / "tests" / "admin"))


def test_the_command_reaches_every_method() -> None:
    with Client("127.0.0.1:1", "token", where="nowhere") as client:
        services = {
            name: type(stub).__name__.removesuffix("Stub")
            for name, stub in vars(client).items()
            if type(stub).__name__.endswith("ServiceStub")
        }
    called = {
        f"{services[stub]}/{method}"
        for text in sources(ROOT / "admin" / "cli")
        for stub, method in calls(text)
        if stub in services
    }
    assert set(NAMES) - called == set()


def test_what_a_list_answers_with_is_one_repeated_field_and_the_token_of_the_next_page() -> None:
    """The command takes the entries of any of them by that (``Client.listing``)."""
    found = 0
    for text, _service, method in METHODS:
        if method.startswith("List"):
            body = re.search(
                rf"message \w*{method}Response \{{\n(.*?)^\}}", text, re.MULTILINE | re.DOTALL
            )
            assert body is not None
            assert len(re.findall(r"^  repeated ", body[1], re.MULTILINE)) == 1, method
            assert "  string next_page_token = " in body[1], method
            found += 1
    assert found > 10


def calls(text: str) -> Iterator[tuple[str, str]]:
    """The ends of chains such as ``client.node.GetNode``: ("node", "GetNode")."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            yield node.value.attr, node.attr


def sources(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.py"):
        if path != Path(__file__):
            yield path.read_text(encoding="utf-8")
