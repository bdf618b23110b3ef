"""The files of a data directory that hold secrets: read, or refused in a sentence."""

from __future__ import annotations

from contextlib import closing, suppress

from actors.datadir import DataDir, DataDirError
from actors.ledger.network import MAIN, WORKSHOP
from admin.auth import ADMIN_TOKEN_FILE, MINTED
from admin.services.auth import _message
from admin.tokenfiles import TOKENS_FILE, TokenFiles
from tests.fuzz.scratch import file_of, folder


def one_input(data: bytes) -> None:
    for name, other in ((TOKENS_FILE, ADMIN_TOKEN_FILE), (ADMIN_TOKEN_FILE, TOKENS_FILE)):
        (folder() / other).unlink(missing_ok=True)
        file_of(name, data).chmod(0o600)
        try:
            loaded = list(TokenFiles(folder()).load())
        except OSError:
            continue
        for token in loaded:
            _message(token).SerializeToString()
        kept = [token for token in loaded if token.id not in MINTED]
        TokenFiles(folder()).save(kept)
        assert [token.id for token in TokenFiles(folder()).load()] == [each.id for each in loaded]
    file_of("wallet.key", data)
    with closing(DataDir(folder())) as directory:
        for network in (MAIN, WORKSHOP):
            with suppress(DataDirError):
                key = directory.wallet_key(network.scheme, bytes)
                assert network.scheme.private_key(key.secret) is not None
