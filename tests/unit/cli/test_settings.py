from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from actors.ledger.network import DEV, MAIN
from admin.cli.definitions import DEFAULT_ADMIN, DEFAULT_LISTEN, SETTINGS
from admin.cli.exits import ExitCode
from admin.cli.options import target_of, target_options
from admin.cli.settings import Chosen, chosen, setting_options
from admin.cli.settings_commands import sample_file
from admin.tuning import Source

SCHEME = MAIN.scheme
KEY = SCHEME.generate(bytes(range(32))).public.hex()
NETWORK = """
name = "easy"
key_scheme = "ed25519"
difficulty = 1
block_reward = 5
max_transactions_per_block = 10
genesis_coinbase = "{}"
""".format("00" * 32)


class Started:
    """A command with all the settings, and what it chose."""

    def __init__(self) -> None:
        self.choices: list[Chosen] = []

    def __call__(self, *words: str, **env: str) -> Result:
        @click.group()
        @target_options
        def group() -> None:
            pass

        @group.command()
        @setting_options()
        @click.pass_context
        def run(ctx: click.Context, /, **_: object) -> None:
            self.choices.append(chosen(ctx, target_of(ctx)))

        words = words if "run" in words else ("run", *words)
        return CliRunner().invoke(group, words, env=env)

    def choice(self, *words: str, **env: str) -> Chosen:
        result = self(*words, **env)
        assert result.exit_code == 0, result.output
        return self.choices[-1]

    def fault(self, *words: str, **env: str) -> str:
        result = self(*words, **env)
        assert result.exit_code == ExitCode.USAGE
        return result.stderr.splitlines()[-1]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Started:
    for definition in SETTINGS:
        monkeypatch.delenv(definition.variable, raising=False)
    return Started()


def test_without_anything_a_node_listens_on_this_machine_only(start: Started) -> None:
    choice = start.choice()
    settings = choice.settings
    assert settings.network is MAIN
    assert (settings.listen, settings.admin) == (DEFAULT_LISTEN, DEFAULT_ADMIN)
    assert settings.peers.advertise == DEFAULT_LISTEN
    assert settings.data_dir.name == "troupe"
    assert not settings.miner.mine
    assert settings.miner.coinbase == b""
    assert choice.log_level == "info"
    assert {value.source for value in choice.values.values()} == {Source.DEFAULT}


def test_flag_beats_environment_beats_file_beats_default(start: Started, tmp_path: Path) -> None:
    file = tmp_path / "troupe.toml"
    file.write_text("threads = 2\nmax_peers = 2\nmine = true\n")
    choice = start.choice(
        "--config", str(file), "--threads", "4", TROUPE_THREADS="3", TROUPE_MAX_PEERS="3"
    )
    settings = choice.settings
    assert (settings.miner.threads, settings.peers.max_peers, settings.miner.mine) == (4, 3, True)
    assert settings.listen == DEFAULT_LISTEN
    sources = {
        name: choice.values[name].source for name in ("threads", "max_peers", "mine", "listen")
    }
    assert sources == {
        "threads": Source.FLAG,
        "max_peers": Source.ENVIRONMENT,
        "mine": Source.FILE,
        "listen": Source.DEFAULT,
    }


def test_every_setting_can_come_from_each_source(start: Started, tmp_path: Path) -> None:
    network = tmp_path / "easy.toml"
    network.write_text(NETWORK)
    given: dict[str, tuple[str, str]] = {
        "data_dir": ("d", '"d"'),
        "network": ("dev", '"dev"'),
        "network_file": (str(network), '"easy.toml"'),
        "listen": ("127.0.0.1:1", '"127.0.0.1:1"'),
        "advertise": ("a.example:1", '"a.example:1"'),
        "peer": ("a.example:2", '["a.example:2"]'),
        "max_peers": ("7", "7"),
        "keep_history": ("1000", "1000"),
        "admin": ("127.0.0.1:2", '"127.0.0.1:2"'),
        "channelz": ("true", "true"),
        "mine": ("true", "true"),
        "threads": ("3", "3"),
        "coinbase": (KEY, f'"{KEY}"'),
        "kernel": ("portable", '"portable"'),
        "log_level": ("debug", '"debug"'),
        "tls": ("true", "true"),
        "tls_name": ("node.example", '["node.example"]'),
        "tls_cert": (str(network), '"easy.toml"'),
        "tls_key": (str(network), '"easy.toml"'),
        "tls_client_ca": (str(network), '"easy.toml"'),
    }
    needs = {
        "tls_name": ("--tls",),
        "tls_cert": ("--tls-key", str(network)),
        "tls_key": ("--tls-cert", str(network)),
        "tls_client_ca": ("--tls",),
    }
    assert set(given) == {definition.name for definition in SETTINGS}
    file = tmp_path / "troupe.toml"
    for definition in SETTINGS:
        word, toml = given[definition.name]
        file.write_text(f"{definition.name} = {toml}\n")
        flag = [definition.flag] if definition.is_switch else [definition.flag, word]
        needed = needs.get(definition.name, ())
        by_flag = start.choice(*flag, *needed)
        by_variable = start.choice(*needed, **{definition.variable: word})
        by_file = start.choice("--config", str(file), *needed)
        by_default = start.choice()
        assert by_flag.values[definition.name].source is Source.FLAG
        assert by_variable.values[definition.name].source is Source.ENVIRONMENT
        assert by_file.values[definition.name].source is Source.FILE
        if definition.name == "data_dir":  # in a file it is relative to the file
            assert by_flag.settings == by_variable.settings
            assert by_file.settings.data_dir == tmp_path / "d"
        else:
            assert by_flag.settings == by_variable.settings == by_file.settings
        changed = by_flag.settings != by_default.settings
        assert changed or by_flag.log_level != by_default.log_level


def test_too_short_a_history_is_refused_with_what_would_do(start: Started, tmp_path: Path) -> None:
    assert "must be 0 or at least 1000, not 999" in start.fault("--keep-history", "999")
    file = tmp_path / "troupe.toml"
    file.write_text("keep_history = 1\n")
    assert "keep_history must be 0 or at least 1000" in start.fault("--config", str(file))


def test_options_before_the_subcommand_are_flags_too(start: Started) -> None:
    choice = start.choice(
        "--data-dir", "early", "--admin", "127.0.0.1:7", "run", TROUPE_DATA_DIR="environment"
    )
    assert choice.settings.data_dir == Path("early")
    assert choice.settings.admin == "127.0.0.1:7"
    assert choice.values["data_dir"].source is Source.FLAG
    assert start.choice("--admin", "127.0.0.1:0", "run").settings.admin == "127.0.0.1:0"
    late = start.choice("--data-dir", "early", "run", "--data-dir", "late")
    assert late.settings.data_dir == Path("late")


def test_several_peers_come_by_repeated_flags_or_one_variable(start: Started) -> None:
    by_flags = start.choice("--peer", "a:1", "--peer", "b:2")
    by_variable = start.choice(TROUPE_PEER="a:1 b:2")
    assert by_flags.settings.peers.bootstrap == ("a:1", "b:2")
    assert by_flags.settings == by_variable.settings


def test_a_switch_of_the_file_can_be_turned_off_by_flag(start: Started, tmp_path: Path) -> None:
    file = tmp_path / "troupe.toml"
    file.write_text("mine = true\n")
    assert not start.choice("--config", str(file), "--no-mine").settings.miner.mine


def test_a_node_that_listens_everywhere_advertises_an_address_that_exists(start: Started) -> None:
    assert start.choice("--listen", "0.0.0.0:5").settings.peers.advertise == "127.0.0.1:5"
    both = start.choice("--listen", "0.0.0.0:5", "--advertise", "a.example:6")
    assert both.settings.peers.advertise == "a.example:6"


def test_a_network_file_defines_the_network(start: Started, tmp_path: Path) -> None:
    network = tmp_path / "easy.toml"
    network.write_text(NETWORK)
    assert start.choice("--network-file", str(network)).settings.network.name == "easy"


def test_network_and_network_file_exclude_each_other(start: Started, tmp_path: Path) -> None:
    network = tmp_path / "easy.toml"
    network.write_text(NETWORK)
    assert "exclude each other" in start.fault("--network", "dev", "--network-file", str(network))
    stronger = start.choice("--network", "dev", TROUPE_NETWORK_FILE=str(network))
    assert stronger.settings.network is DEV
    weaker = start.choice("--network-file", str(network), TROUPE_NETWORK="dev")
    assert weaker.settings.network.name == "easy"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("thread = 1", "'thread'"),
        ("threads = 0", "threads"),
        ("threads = true", "threads must be an integer"),
        ('threads = "1"', "threads must be an integer"),
        ('mine = "yes"', "mine must be true or false"),
        ("listen = 5", "listen must be a string"),
        ('peer = "a:1"', "peer must be a list"),
        ('peer = ["a"]', "peer must be HOST:PORT"),
        ('admin = "0.0.0.0"', "host:port"),
        ('tls_name = ["a b"]', "host name"),
        ('tls_cert = "none.pem"', "does not exist"),
        ("threads = ", "cannot read"),
    ],
)
def test_a_fault_in_the_file_is_named(start: Started, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "troupe.toml"
    file.write_text(text + "\n")
    fault = start.fault("--config", str(file))
    assert said in fault
    assert str(file) in fault


def test_a_fault_in_a_network_file_is_named(start: Started, tmp_path: Path) -> None:
    network = tmp_path / "easy.toml"
    network.write_text(NETWORK.replace("difficulty = 1", "difficulty = 17"))
    assert "difficulty" in start.fault("--network-file", str(network))


def test_an_admin_address_of_the_world_is_refused_in_one_sentence(start: Started) -> None:
    assert "loopback interface only" in start.fault("--admin", "0.0.0.0:18751")
    assert "TROUPE_ADMIN" in start.fault(TROUPE_ADMIN="192.0.2.1:1")


def test_a_coinbase_is_a_key_of_the_network(start: Started) -> None:
    assert start.choice("--coinbase", KEY).settings.miner.coinbase.hex() == KEY
    assert "ed25519" in start.fault("--coinbase", "ab" * 31)


def test_every_setting_has_its_help_from_the_table(start: Started) -> None:
    page = start("--help").output
    for definition in SETTINGS:
        assert definition.flag in page
        assert definition.variable in page


# -- the data directory's own file, and what the admin plane is given --------------------------------


def test_the_file_of_the_data_directory_stands_in_for_a_named_one(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("threads = 3\nmax_peers = 7\n")
    choice = Started().choice("--data-dir", str(tmp_path), "--max-peers", "9")
    assert choice.settings.miner.threads == 3
    assert choice.settings.peers.max_peers == 9
    assert choice.values["threads"].source is Source.FILE
    assert choice.values["max_peers"].source is Source.FLAG
    assert choice.file == tmp_path / "settings.toml"


def test_a_named_file_takes_the_place_of_the_directorys(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("threads = 3\n")
    named = tmp_path / "other.toml"
    named.write_text("max_peers = 7\n")
    choice = Started().choice("--data-dir", str(tmp_path), "--config", str(named))
    assert choice.settings.miner.threads == 1
    assert choice.file == named


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("threads = ", "cannot read"),
        ("colour = 1", "there is no setting 'colour'"),
        ("threads = 'x'", "threads must be an integer"),
        ("data_dir = 'x'", "data_dir cannot be set by the directory itself"),
    ],
)
def test_a_wrong_file_of_the_directory_is_named(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "settings.toml").write_text(content)
    assert fault in Started().fault("--data-dir", str(tmp_path))


def test_the_admin_plane_is_given_every_setting_with_its_source(tmp_path: Path) -> None:
    tuning = (
        Started()
        .choice("--data-dir", str(tmp_path), "--threads", "2", TROUPE_MAX_PEERS="9")
        .tuning(lambda _level: None)
    )
    settings = {each.name: each for each in tuning.all()}
    assert set(settings) == {each.name for each in SETTINGS}
    threads, max_peers = settings["threads"], settings["max_peers"]
    assert (threads.value, threads.source, threads.default) == ("2", Source.FLAG, "1")
    assert (max_peers.value, max_peers.source) == ("9", Source.ENVIRONMENT)
    assert (settings["mine"].value, settings["mine"].default) == ("false", "false")


def test_mutable_settings_read_their_values_from_text(tmp_path: Path) -> None:
    tuning = Started().choice("--data-dir", str(tmp_path)).tuning(lambda _level: None)
    parsers = {each.name: each.parse for each in tuning.all() if each.parse is not None}
    assert {"mine", "threads", "coinbase", "log_level"} <= set(parsers)
    assert parsers["mine"]("true") is True
    assert parsers["threads"]("4") == 4
    for name, wrong in (("mine", "perhaps"), ("threads", "0"), ("log_level", "loud")):
        with pytest.raises(ValueError, match=f"is no value of {name}"):
            parsers[name](wrong)


def test_the_sample_file_changes_nothing_and_each_line_of_it_can_stand() -> None:
    text = sample_file()
    assert tomllib.loads(text) == {}
    values = "\n".join(
        line.removeprefix("# ") for line in text.splitlines() if re.match(r"# \w+ = ", line)
    )
    assert list(tomllib.loads(values)) == [each.name for each in SETTINGS]
    for each in SETTINGS:
        assert each.help in text
        assert each.variable in text
