"""The gossip room: floods what is worth it, once, and asks a handler what is.

| file | what it decides |
|---|---|
| `kinds` | who handles a kind, and how long its payloads may be |
| `seen` | which ids and which contents are old news |
| `links` | over which connections a relay goes |
| `actor` | the shell: rumours in, verdicts, rumours out |

Must not live here: what a payload means. That is the handler's: mempool, chain, search.
"""
