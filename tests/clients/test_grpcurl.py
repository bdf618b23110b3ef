"""grpcurl, as installed by Go, knows nothing of us and walks everything that a node serves."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import pytest

from tests.clients.grpcurl_calls import CALLS, OK, Call
from tests.clients.toolchain import BUILD_TIMEOUT_S, go_tool
from tests.support.process import NodeProcess, easy_network_file

PACKAGE = "troupe.admin.v1."
PATIENCE_S = 60.0
RECIPIENT = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
WALK_TIMEOUT_S = 300.0
"""Three hundred processes, one after the other."""
pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S + WALK_TIMEOUT_S)


@dataclass(frozen=True)
class Grpcurl:
    """The tool, and the node that it calls."""

    path: Path
    node: NodeProcess

    def __call__(self, *words: str, token: bool = True) -> subprocess.CompletedProcess[str]:
        name, value = self.node.credentials[0]
        return subprocess.run(
            (self.path, "-plaintext", *(("-H", f"{name}: {value}") if token else ()), *words),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def say(self, *words: str) -> str:
        """What it prints without a token, when all goes well."""
        done = self(*words, token=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def services(self) -> list[str]:
        return self.say(self.node.admin_address, "list").split()

    def describe(self, symbol: str) -> str:
        return self.say(self.node.admin_address, "describe", symbol)

    def methods(self, service: str) -> Iterator[tuple[str, bool]]:
        """Each method as it is called, and whether it is unary."""
        pattern = r"rpc (\w+) \( (stream )?\S+ \) returns \( (stream )?\S+ \)"
        for name, asks, answers in re.findall(pattern, self.describe(service)):
            yield f"{service}/{name}", not asks and not answers

    def reason(self, call: Call, known: dict[str, str]) -> str:
        """Make a call: the reason that it is refused with, or OK; keeps what is to be kept."""
        request = Template(call.request).substitute(known)
        done = self("-format-error", "-d", request, self.node.admin_address, full(call.method))
        if done.returncode == 0:
            answer = json.loads(done.stdout)
            known.update({name: str(part(answer, path)) for name, path in call.keep.items()})
            return OK
        return reason_of(done.stderr)


def full(method: str) -> str:
    return method if method.startswith("grpc.") else PACKAGE + method


def part(answer: Any, path: str) -> Any:
    for step in path.split("."):
        answer = answer[int(step)] if isinstance(answer, list) else answer[step]
    return answer


def reason_of(printed: str) -> str:
    try:
        details: list[Mapping[str, Any]] = json.loads(printed).get("details", [])
    except json.JSONDecodeError:
        return printed
    reasons = [str(each["reason"]) for each in details if "reason" in each]
    return reasons[0] if reasons else printed


@pytest.fixture(scope="module")
def tool() -> Path:
    return go_tool("grpcurl")


@pytest.fixture
def network(tmp_path: Path) -> tuple[str, str]:
    return "--network-file", str(easy_network_file(tmp_path))


@pytest.fixture
def grpcurl(tool: Path, tmp_path: Path, network: tuple[str, str]) -> Iterator[Grpcurl]:
    with NodeProcess(tmp_path / "a", *network) as node:
        yield Grpcurl(tool, node)


def test_grpcurl_lists_and_describes_every_service_and_every_method(grpcurl: Grpcurl) -> None:
    services = grpcurl.services()
    assert PACKAGE + "NodeService" in services
    for service in services:
        methods = [name for name, _ in grpcurl.methods(service)]
        listed = grpcurl.say(grpcurl.node.admin_address, "list", service).split()
        assert listed == [name.replace("/", ".") for name in methods], service
        assert methods, service
        for name in listed:
            assert f"{name} is a method:" in grpcurl.describe(name)


def test_every_unary_method_answers_grpcurl_as_it_should(
    grpcurl: Grpcurl, tmp_path: Path, network: tuple[str, str]
) -> None:
    unary = {
        name
        for service in grpcurl.services()
        for name, is_unary in grpcurl.methods(service)
        if is_unary
    }
    assert unary == {full(call.method) for call in CALLS}, "grpcurl_calls.py has a line a method"
    node = grpcurl.node
    node.generate(3)
    with NodeProcess(tmp_path / "b", *network) as peer:
        known = {"peer": peer.listen_address, "recipient": RECIPIENT}
        known["included"] = node.transfer(RECIPIENT, 250)
        node.generate(1)
        answers = [(call.method, call.reason, grpcurl.reason(call, known)) for call in CALLS]
    assert [each for each in answers if each[1] != each[2]] == []
    node.process.wait(PATIENCE_S)  # the last call asked it to end
    assert node.stop() == 0


def test_grpcurl_is_told_why_a_call_without_a_token_is_refused(grpcurl: Grpcurl) -> None:
    method = PACKAGE + "NodeService/GetNode"
    done = grpcurl("-format-error", grpcurl.node.admin_address, method, token=False)
    assert (reason_of(done.stderr), done.returncode != 0) == ("TOKEN_MISSING", True)
