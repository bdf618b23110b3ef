"""``restore``: a backup of the chain, put into the data directory of a node that does not run."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from actors.chain.backup import BackupError, BackupExistsError, copy_store, drafted, tip_of
from actors.chain.repair import ready_at
from actors.chain.schema import StoreError, recorded_network
from actors.datadir import DataDir, DataDirError
from actors.ledger.network import Network
from admin.cli.exits import CliError
from admin.cli.help import examples
from admin.cli.options import target_of, target_options
from admin.cli.output import Output
from admin.cli.progress import BYTES, progress
from admin.cli.text import count


@click.command(
    epilog=examples(
        "troupe restore chain-of-today.db --data-dir ~/nodes/two",
        "troupe run --data-dir ~/nodes/two",
    )
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@target_options
@click.pass_context
def restore(ctx: click.Context, file: Path) -> None:
    """Begin a data directory with the chain of a backup.

    The directory is made if need be, and may hold other things (a key, tokens), but no chain; no node may
    run there. Start the node on the network that the backup is of.
    """
    target = target_of(ctx)
    try:
        network = recorded_network(file)
    except StoreError as error:
        message = f"{file} is no backup of a chain"
        raise CliError(message) from error
    try:
        with closing(DataDir(target.directory(), user="restore")) as directory:
            _copy(file, directory.chain_db, network)
            tip = tip_of(directory.chain_db, network)
    except BackupExistsError as error:
        message = (
            f"there is a chain in {target.directory()} already, or a part of one: move its"
            " chain.db* files away first"
        )
        raise CliError(message) from error
    except (BackupError, DataDirError, StoreError) as error:
        raise CliError(str(error)) from error
    data = {
        "path": str(directory.chain_db),
        "network": network.name,
        "tip": {"number": tip.number, "hash": tip.hash.hex()},
    }
    sentence = (
        f"Restored the chain of {network.name} to {directory.chain_db}; the tip is"
        f" {count(tip.number)}, {tip.hash.hex()}."
    )
    Output(target.output).one(data, sentence)


def _copy(source: Path, place: Path, network: Network) -> None:
    """Raises BackupExistsError also where the next start would put a repaired chain in its place."""
    if ready_at(place).exists():
        raise BackupExistsError
    with progress("restoring", None, BYTES) as advance, drafted(place) as draft:
        copy_store(source, draft, network, advance)
