"""The ``troupe`` command.

``main`` is the entry; each group of commands has its own module, imported when it is called. Beneath
them: ``options`` (what every command takes), ``client`` (calls and their errors), ``output`` and ``views``
(one set of data, shown three ways), ``settings`` (the one table of a node's settings), ``serving`` (a node
until it is told to stop) and ``children`` (several of them). Nothing here knows an actor.
"""
