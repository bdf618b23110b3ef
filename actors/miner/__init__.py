"""The miner room: block templates, the search for their nonces, and what came of it."""
