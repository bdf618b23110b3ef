"""What every actor stands on: mailboxes, addresses, the clock, supervision and the pump.

Here lives only what knows no room and no rule of the ledger. A room imports from here; nothing here
imports a room, the admin API or anything that reads the wall clock behind the injected one's back.
"""
