"""A chain of 300 blocks for tests of what moves whole chains, and who is asked for that."""

from __future__ import annotations

from troupe.admin.v1 import chain_service_pb2_grpc

from tests.support.chains import EASY, mine_chain

ChainServiceStub = chain_service_pb2_grpc.ChainServiceStub

CHAIN = mine_chain(EASY, EASY.genesis.ref, 300)
