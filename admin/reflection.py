"""Server reflection (grpc.reflection.v1alpha): what is served, and how it is called, for tools like grpcurl.

Must not live here: what is served.
"""

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc_reflection.v1alpha import reflection

SERVICE_NAME = reflection.SERVICE_NAME


def enable(server: grpc.aio.Server, names: Iterable[str]) -> None:
    """Serve reflection of these services, and of itself."""
    pool: Any = _MethodsToo()
    reflection.enable_server_reflection((*names, SERVICE_NAME), server, pool=pool)


class _MethodsToo:
    """The pool of all descriptors, which finds the file of a method as well.

    The protocol asks for that ("<package>.<service>[.<method>]"); protobuf's own look-up does not.
    """

    def __init__(self) -> None:
        self._pool = descriptor_pool.Default()

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802 - protobuf's name
        """Raises ``KeyError`` for a name of nothing."""
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return self._pool.FindMethodByName(symbol).containing_service.file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)
