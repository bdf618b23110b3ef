"""The chain room: which blocks there are, which of them are canonical, and where to get the rest.

`store` keeps, `tree` decides, `importer` does both in one SQL transaction; `sync`, `orphans`, `locator`
and `wire` know how to obtain what is missing; `greeting`, `download`, `walkback` and `serving` talk to the
other rooms for the actor. Rules of the ledger are not here: see `actors.ledger`.
"""
