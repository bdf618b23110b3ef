"""The admin plane: the node's gRPC server and the ``troupe`` command (ADMIN_API).

It stands beside the node and talks to the actors through the same addresses as everybody else. Only this
package imports the generated stubs (``troupe.admin.v1``); no actor knows that it exists.

A call's way through the server: :mod:`admin.guard` checks the token against the table of
:mod:`admin.auth`; a method of :mod:`admin.services` asks the actors (:mod:`admin.asks`) and converts what
they say (:mod:`admin.convert`); whatever goes wrong leaves as a :class:`admin.errors.Refusal`.
"""
