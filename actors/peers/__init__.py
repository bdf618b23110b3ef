"""The peers room: who is a peer, how one becomes it, and where to look for more.

| file | what it decides |
|---|---|
| `addresses` | which text is an address, how peer lists are read and written |
| `table` | who is a peer, over which links, and which of them carries what we send |
| `book` | which known address is worth a dial, and when |
| `dialer` | what is under way between a dial and the answer to its hello |
| `actor` | the shell: hello, get_peers, keeping the number of peers |

Must not live here: what peers talk about (gossip, search, chain), or sockets (tcp).
"""
