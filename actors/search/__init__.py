"""The search room: questions over gossip, answers back along the return path.

| file | what it decides |
|---|---|
| `routes` | which questions are open, and which of them an answer answers |
| `lookups` | which questions are at their provider, and whose turn it is when it is busy |
| `allowance` | how many questions a peer may ask of us, and through us |
| `items` | what outsiders have us answer with |
| `actor` | the shell: ask, look up, pass on, answer, forward |

Must not live here: the things searched for. A provider of each kind (chain, for blocks) has those.
"""
