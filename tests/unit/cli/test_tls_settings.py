"""How the settings of TLS go together, and which admin address they allow."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from actors.config import Settings, TlsSettings
from admin.cli.exits import ExitCode
from admin.cli.options import target_of, target_options
from admin.cli.settings import chosen, setting_options

PUBLIC = ("--admin", "0.0.0.0:0")


class Started:
    """A command with all the settings, and what it chose."""

    def __init__(self, folder: Path) -> None:
        self.choices: list[Settings] = []
        self.folder = folder
        for name in ("cert", "key", "ca"):
            (folder / name).touch()
        self.own = ("--tls-cert", str(folder / "cert"), "--tls-key", str(folder / "key"))
        self.client_ca = ("--tls-client-ca", str(folder / "ca"))

    def __call__(self, *words: str, **env: str) -> Result:
        @click.group()
        @target_options
        def group() -> None:
            pass

        @group.command()
        @setting_options()
        @click.pass_context
        def run(ctx: click.Context, /, **_: object) -> None:
            self.choices.append(chosen(ctx, target_of(ctx)).settings)

        words = words if "run" in words else ("run", *words)
        return CliRunner().invoke(group, words, env={"TROUPE_DATA_DIR": str(self.folder), **env})

    def tls(self, *words: str, **env: str) -> TlsSettings:
        result = self(*words, **env)
        assert result.exit_code == 0, result.output
        return self.choices[-1].tls

    def fault(self, *words: str, **env: str) -> str:
        result = self(*words, **env)
        assert result.exit_code == ExitCode.USAGE
        return result.stderr.splitlines()[-1]


@pytest.fixture
def start(tmp_path: Path) -> Started:
    return Started(tmp_path)


def test_without_a_word_there_is_no_tls(start: Started) -> None:
    assert start.tls() == TlsSettings()
    assert not start.tls().is_on


def test_tls_is_automatic_with_names(start: Started) -> None:
    names = ("--tls-name", "a.example", "--tls-name", "192.0.2.1")
    assert start.tls("--tls", *names) == TlsSettings(True, ("a.example", "192.0.2.1"))
    assert start.tls("--tls", "run") == TlsSettings(automatic=True)
    assert start.tls(TROUPE_TLS="1", TROUPE_TLS_NAME="a b").names == ("a", "b")


def test_a_certificate_of_ones_own_needs_no_other_word(start: Started) -> None:
    own = TlsSettings(certificate=start.folder / "cert", key=start.folder / "key")
    assert start.tls(*start.own) == start.tls("--tls", *start.own) == own
    assert own.is_on


def test_paths_in_a_file_are_relative_to_it(start: Started) -> None:
    file = start.folder / "troupe.toml"
    file.write_text('tls_cert = "cert"\ntls_key = "key"\ntls_client_ca = "ca"\n')
    tls = start.tls("--config", str(file))
    assert (tls.certificate, tls.key, tls.client_ca) == tuple(
        start.folder / name for name in ("cert", "key", "ca")
    )
    assert start.tls("--config", str(file), "--no-tls") == TlsSettings()


def test_what_does_not_go_together_is_said(start: Started) -> None:
    assert "go together" in start.fault(*start.own[:2])
    assert "go together" in start.fault(*start.own[2:])
    assert "automatic" in start.fault(*start.own, "--tls-name", "a.example")
    assert "need --tls" in start.fault("--tls-name", "a.example")
    assert "need --tls" in start.fault(*start.client_ca)
    assert start.tls("--tls", *start.client_ca).client_ca == start.folder / "ca"


def test_another_interface_is_for_tls_only(start: Started) -> None:
    assert "loopback interface only" in start.fault(*PUBLIC)
    assert "add --tls" in start.fault(*PUBLIC)
    assert "add --tls" in start.fault(*PUBLIC, "--no-tls", *start.own)
    start.tls(*PUBLIC, "--tls")
    start.tls(*PUBLIC, *start.own)
    assert start.choices[-1].admin == "0.0.0.0:0"
    assert "on an IP address" in start.fault("--tls", "--admin", "node.example:1")
