"""The gossip room: floods what is worth it, once, and asks a handler what is.

| file | what it decides |
|---|---|
| `kinds` | who handles a kind, and how long its payloads may be |
| `course` | what is done with a batch's messages of one kind |
| `seen` | what a cache of old news holds, and for how long |
| `news` | which rumours are sound, and which are news |
| `docket` | which rumours are at their handler, and whose turn it is when it is busy |
| `talk` | what is heard, and what goes on, of kinds that no room handles |
| `links` | over which connections a relay goes |
| `audience` | which outsiders listen to which kinds |
| `allowance` | how much a peer may say in kinds that no room handles |
| `counts` | how many messages of each kind there were |
| `report` | what outsiders are told of the kinds |
| `actor` | the shell: rumours in, verdicts, rumours out |

Must not live here: what a payload means. That is the handler's: mempool, chain, search; and of kinds that
no room handles, such as `chat`, the outsiders' who subscribe.
"""
