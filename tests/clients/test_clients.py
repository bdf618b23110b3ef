"""Clients in other languages, built by their own tools, direct real nodes through the one scenario."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.clients.scenario import LINES
from tests.clients.toolchain import BUILD_TIMEOUT_S, CLIENTS, Client, build
from tests.support.process import ROOT, NodeProcess, easy_network_file

PATIENCE_S = 110.0
in_each_language = pytest.mark.parametrize("client", CLIENTS, ids=lambda each: each.language)
pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S + 2 * PATIENCE_S)


def run(client: Client, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*client.run, *arguments),
        cwd=client.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@in_each_language
def test_a_client_goes_through_the_scenario(client: Client, tmp_path: Path) -> None:
    build(client)
    network = ("--network-file", str(easy_network_file(tmp_path)))
    with NodeProcess(tmp_path / "a", *network) as node, NodeProcess(tmp_path / "b", *network) as b:
        token_file = str(node.data_dir / "admin.token")
        done = run(client, node.admin_address, token_file, b.listen_address)
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert (printed, done.returncode) == ([*LINES], 0), done.stderr


@in_each_language
def test_a_client_of_a_node_that_is_not_there_says_so_and_fails(
    client: Client, tmp_path: Path
) -> None:
    build(client)
    with socket.socket() as nobody:  # bound and not listening: whoever calls is refused
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        done = run(client, address, str(tmp_path / "admin.token"), address)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")


@in_each_language
def test_a_client_that_is_called_wrongly_says_how_to_call_it(client: Client) -> None:
    build(client)
    done = run(client, "127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ")


def test_the_lock_files_name_no_place_but_the_public_registries() -> None:
    folder = ROOT / "tests" / "clients"
    npm = json.loads((folder / "typescript/package-lock.json").read_text())
    assert [name for name, each in npm["packages"].items() if "resolved" in each] == []
    cargo = (folder / "rust/Cargo.lock").read_text()
    sources = set(re.findall(r'^source = "(.*)"$', cargo, re.MULTILINE))
    assert sources == {"registry+https://github.com/rust-lang/crates.io-index"}
    go = (folder / "go/go.sum").read_text()
    assert {line.split()[2][:3] for line in go.splitlines()} == {"h1:"}
    assert "<repositor" not in (folder / "java/pom.xml").read_text()


def test_no_folder_among_the_tools_has_the_name_of_a_command() -> None:
    """Whoever has the tools first in his PATH, as a build here does, would be denied the command."""
    folders = re.findall(r"--prefix \$\(TOOLS\)/(\S+)", (ROOT / "Makefile").read_text())
    assert folders
    assert [each for each in folders if shutil.which(each) is not None or each == "npm"] == []


def test_the_readme_and_the_clients_have_the_same_steps() -> None:
    """Each client is read by people as an example, beside the steps that it is an example of."""
    text = (ROOT / "tests/clients/README.md").read_text()
    assert re.findall(r"^\d+\. `([a-z-]+)`:", text, re.MULTILINE) == [
        line["step"] for line in LINES
    ]
