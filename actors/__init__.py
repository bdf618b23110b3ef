"""The node: every actor, and the pure rules that they apply.

The rooms, from the ground up, and who tells whom:

``runtime``    What every actor stands on: addresses, the clock, the supervisor, the pump, the event log.
``ledger``     The rules, pure: codec, keys, proof of work, state transition, block building.

``tcp``        Connections and frames; one thread, the selector loop, for all sockets and, as a crew, for
               all rooms up to search: what passes between them changes no thread.
               Tells messaging what connects, disconnects and arrives.
``messaging``  Kinds, requests and responses. Tells each room the messages of its kinds, in batches.
``peers``      Hello, who is a peer, addresses, upkeep. Tells the rooms above who joined and left.
``gossip``     Floods and filters. Asks the handler of a kind for a verdict before it relays.
``search``     Questions over gossip, answers along the return path.

``mempool``    Transactions waiting for a block. Tells the miner when its candidates changed.
``chain``      The block tree, the canonical chain and its store, sync. Tells mempool and miner of each
               new tip, after its commit. Beside it, on a connection of its own to the store, the reader
               answers what peers, the search room and people ask.
``miner``      Templates and the scan. Tells the chain what it found.

``letters``    What the supervisor must know of the rooms' letters when an actor fell over one.
``assembly``   Who is in a node, and who tells whom.
``node``       The composition root: builds all of it, starts it, stops it in reverse.
``config``     Frozen settings.
``simulation`` Many nodes as ``assembly`` builds them, on one thread, with simulated time, wires, hardware,
               disks, faults and liars. Nobody but the command line and the tests imports it.

A room is entered by its ``messages``: frozen dataclasses, told to an address. Nobody imports another
room's actor or internals, and an actor never waits for another.
"""
