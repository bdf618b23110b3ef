"""Proof of work: what a hash must look like (LEDGER: state transition).

Must not live here: the search for a nonce, which is the miner's.
"""


def has_work(block_hash: bytes, difficulty: int) -> bool:
    """Whether the first `difficulty` hex digits of the hash are zero; at 0 any hash will do."""
    return block_hash.hex().startswith("0" * difficulty)
