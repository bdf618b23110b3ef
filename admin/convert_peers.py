"""Between the peers room's values and the messages of the API, as in ``convert``: pure, field by field."""
# ruff: noqa: D103 - each function converts the value that it names

from __future__ import annotations

from google.protobuf import timestamp_pb2
from troupe.admin.v1 import peer_service_pb2

from actors.peers.messages import (
    AddressSource,
    Ban,
    KnownAddress,
    NodeState,
    Slots,
    Topology,
    TopologyEdge,
    TopologyNode,
)
from admin.convert import timestamp

ADDRESS_SOURCES = {
    AddressSource.CONFIGURED: peer_service_pb2.ADDRESS_SOURCE_CONFIGURED,
    AddressSource.OPERATOR: peer_service_pb2.ADDRESS_SOURCE_OPERATOR,
    AddressSource.HELLO: peer_service_pb2.ADDRESS_SOURCE_HELLO,
    AddressSource.PEER_LIST: peer_service_pb2.ADDRESS_SOURCE_PEER_LIST,
}
NODE_STATES = {
    NodeState.NOT_ASKED: peer_service_pb2.TOPOLOGY_STATE_UNSPECIFIED,
    NodeState.SELF: peer_service_pb2.TOPOLOGY_STATE_SELF,
    NodeState.ANSWERED: peer_service_pb2.TOPOLOGY_STATE_ANSWERED,
    NodeState.NO_ANSWER: peer_service_pb2.TOPOLOGY_STATE_NO_ANSWER,
    NodeState.UNREACHABLE: peer_service_pb2.TOPOLOGY_STATE_UNREACHABLE,
}


def known_address(known: KnownAddress) -> peer_service_pb2.KnownAddress:
    return peer_service_pb2.KnownAddress(
        address=known.address,
        source=ADDRESS_SOURCES[known.source],
        last_success_time=_moment(known.last_success_s),
        failure_count=known.failures,
        next_dial_time=_moment(known.next_dial_s),
        connected=known.connected,
        banned=known.banned,
    )


def slots(taken: Slots) -> peer_service_pb2.PeerSlots:
    return peer_service_pb2.PeerSlots(
        outbound_count=taken.outbound,
        inbound_count=taken.inbound,
        wanted_count=taken.wanted,
        wanted_outbound_count=taken.wanted_outbound,
        target_count=taken.target,
        limit_count=taken.limit,
        dialing_count=taken.dialing,
        known_address_count=taken.known,
    )


def ban(made: Ban) -> peer_service_pb2.Ban:
    return peer_service_pb2.Ban(
        target=made.target,
        reason=made.reason,
        create_time=timestamp(made.created_s),
        expire_time=timestamp(made.until_s),
    )


def topology(learnt: Topology) -> peer_service_pb2.GetTopologyResponse:
    return peer_service_pb2.GetTopologyResponse(
        nodes=list(map(_node, learnt.nodes)),
        edges=list(map(_edge, learnt.edges)),
        truncated=learnt.truncated,
    )


def _node(node: TopologyNode) -> peer_service_pb2.TopologyNode:
    return peer_service_pb2.TopologyNode(
        address=node.address,
        distance=node.distance,
        state=NODE_STATES[node.state],
        observe_time=_moment(node.observed_s),
    )


def _edge(edge: TopologyEdge) -> peer_service_pb2.TopologyEdge:
    known = (
        peer_service_pb2.TOPOLOGY_SOURCE_CONNECTION
        if edge.ours
        else peer_service_pb2.TOPOLOGY_SOURCE_PEER_LIST
    )
    return peer_service_pb2.TopologyEdge(
        from_address=edge.source,
        to_address=edge.target,
        source=known,
        observe_time=timestamp(edge.observed_s),
    )


def _moment(unix_s: float | None) -> timestamp_pb2.Timestamp | None:
    return None if unix_s is None else timestamp(unix_s)
