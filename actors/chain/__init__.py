"""The chain room: which blocks there are, which of them are canonical, and where to get the rest.

`store` keeps (with `marks` and `pending`), `tree` decides, `importer` does both in one SQL transaction;
`sync`, `orphans`, `locator` and `wire` know how to obtain what is missing; `greeting`, `download`,
`walkback`, `answering`, `serving` and `steering` talk to the other rooms for the actor.
`archive` runs long jobs beside the actor: `verify`, `backup`, exports. Rules of the ledger are not here:
see `actors.ledger`.
"""
