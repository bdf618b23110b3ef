"""The peers room: who is a peer, how one becomes it, and where to look for more.

| file | what it decides |
|---|---|
| `addresses` | which text is an address, how peer lists are read and written |
| `table` | who is a peer, over which links, and which of them carries what we send |
| `slots` | how many peers are wanted, for whom places are kept |
| `eviction` | who goes first, and who is of use |
| `book` | which known address is worth a dial, and when |
| `shares` | how much of the book one teller, network or host may have |
| `hearsay` | what is made of the peer lists that others tell |
| `shelf` | when the book is written, so that it outlives the node |
| `hosts` | where those are whom we chose, and where that is enough |
| `dialer` | what is under way between a dial and the answer to its hello |
| `greeter` | who is let in, and what a connection is answered |
| `links` | which connections are open, and what the rooms are told of them |
| `bans` | what can be banned, who is covered by it |
| `bouncer` | the bans in force, kept across a restart |
| `scores` | what was done wrong of late, and how it fades |
| `warden` | who answers for a misdeed, and when that is a ban |
| `graph` | who knows whom, as one crawl learns it |
| `crawler` | the questions of a crawl under way |
| `desk` | what people ask of the room |
| `adoption` | what the next incarnation goes on with, and how it learns what it missed |
| `poison` | whose messages felled an actor before |
| `actor` | the shell: hello, keeping the number of peers |

Must not live here: what peers talk about (gossip, search, chain), or sockets (tcp).
"""
