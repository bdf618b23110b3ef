"""The chain room: which blocks there are, which of them are canonical, and where to get the rest.

`store` keeps (with `reading`, `history`, `marks` and `pending`), `tree` decides, `importer` does both in one
SQL transaction, on a state that `past` knows where the store has it no more;
`sync`, `table`, `course`, `orphans`, `locator` and `wire` know how to obtain what is missing, `line` is
where it waits for its signatures (`signatures`), and `progress` tells how far it is; `greeting`, `download`,
`walkback`, `answering` and `steering` talk to the other rooms for the actor. `reader` is a second actor,
which answers from the store what others ask of it, each in turn (`asking`), by `serving`.
`intake` takes each block into the store and tells of the tip, `side` says how much of side branches; `outage` is
what it does while the store takes none. `checkup` looks through the file beside a node that has just begun;
`salvage` and `repair` make a damaged one anew. `archive` runs long jobs beside the actor: `verify`, `backup`,
exports. Rules of the ledger are not here: see `actors.ledger`.
"""
