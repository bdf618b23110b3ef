"""The mempool room: which transactions wait for a block, and for how long."""
