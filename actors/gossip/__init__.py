"""The gossip room: floods what is worth it, once, and asks a handler what is.

| file | what it decides |
|---|---|
| `kinds` | who handles a kind, and how long its payloads may be |
| `course` | what is done with a batch's messages of one kind |
| `seen` | which ids and which contents are old news |
| `links` | over which connections a relay goes |
| `audience` | which outsiders listen to which kinds |
| `allowance` | how much a peer may say in kinds that no room handles |
| `counts` | how many messages of each kind there were |
| `report` | what outsiders are told of the kinds |
| `actor` | the shell: rumours in, verdicts, rumours out |

Must not live here: what a payload means. That is the handler's: mempool, chain, search; and of kinds that
no room handles, such as `chat`, the outsiders' who subscribe.
"""
