"""A network of whole nodes in one thread: the real actors on simulated time, wires, hardware and disks.

Everything follows from a seed. The files, from the ground up:

``trace``      Every event as a line, and one rolling hash of all.
``network``    Who reaches whom, how long bytes take, what gets lost; ``host``: one machine's connections;
``tcp``        the actor that stands in for the tcp room.
``disk``       A store in memory that can be full, fail, or lose its power; ``memory``: a journal like it.
``engine``     Mining hardware; ``team``: signatures, each verified once for all nodes.
``stage``      Where the actors of a node play, under somebody's eyes.
``node``       One node: what `assembly` builds, on all of that; ``world``: many of them.

``model``      An independent ledger; ``bounds``: how long what may be; ``spread``: when who had which block.
``watch``      The invariants, looked at after every letter; ``violation``: what ends a run.
``forge``      Blocks and transactions that are wrong; ``lies``: what liars do with them; ``liar``: who they are.
``scenario``   What is to be played; ``schedule``: when what goes wrong.
``play``       Plays it; ``report``: what became of it.

Nothing here imports a socket, a thread or a clock of the machine. Nobody but the command line and the tests
imports this.
"""
