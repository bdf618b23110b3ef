"""The ledger: the pure rules that every node applies to the same bytes with the same verdict.

Lives here: the values (transaction, block, account), their canonical text, the key schemes, the
network definitions, proof-of-work check, state transition and block building. Each broken rule is
a `Violation`, a value with a code.

Must not live here: actors, IO, clocks, randomness, threads, storage, module-level mutable state, or
an import of any room. Whatever a rule needs from outside is an argument.

Inside the process hashes, addresses (public keys) and signatures are `bytes`; hex appears only in
the canonical text and on human surfaces.

| file | what it decides |
|---|---|
| `types` | what a transaction, a block and an account are |
| `codec` | which bytes are canonical, and which value they are |
| `keys`, `ed25519`, `p192` | what a public key is, who signed what |
| `known_keys`, `signatures` | which keys and signatures were found good not long ago |
| `network` | the constants of one network, and what a user's definition may say |
| `work` | whether a hash carries the proof of work |
| `state` | whether a block is valid on a state, and the accounts that it changes |
| `build` | which transactions the next block takes |
| `violation` | the code of each rule |
"""
