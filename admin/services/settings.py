"""What the settings of a running node are, and what a change of one does to its actors."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

from troupe.admin.v1 import errors_pb2, node_service_pb2

from actors.miner.messages import (
    GetMiner,
    MinerInfo,
    MinerRefusal,
    StartMining,
    StopMining,
    UpdateMiner,
)
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal, field_invalid, require
from admin.house import House
from admin.tuning import Setting, Source, Value
from admin.verdicts import miner_refusal

MAX_VALUE_CHARS = 1_024
"""The longest value is a coinbase: at most 512 bytes in hex."""

_SOURCES: Mapping[Source, node_service_pb2.SettingSource.ValueType] = {
    Source.DEFAULT: node_service_pb2.SETTING_SOURCE_DEFAULT,
    Source.FILE: node_service_pb2.SETTING_SOURCE_FILE,
    Source.ENVIRONMENT: node_service_pb2.SETTING_SOURCE_ENVIRONMENT,
    Source.FLAG: node_service_pb2.SETTING_SOURCE_FLAG,
    Source.RUNTIME: node_service_pb2.SETTING_SOURCE_RUNTIME,
}


def setting_message(setting: Setting) -> node_service_pb2.Setting:
    """A setting as the contract has it."""
    return node_service_pb2.Setting(
        name=setting.name,
        value=convert.legible(setting.value),
        source=_SOURCES[setting.source],
        mutable=setting.parse is not None,
        default_value=convert.legible(setting.default),
        description=setting.help,
        flag=setting.flag,
        environment_variable=setting.variable,
    )


class SettingsKeeper:
    """Shows and changes the settings. On the server's event loop."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker, self._tuning = house, asker, house.tuning
        self._changing = asyncio.Lock()
        self._tuning.fill("coinbase", house.wallet.public.hex())
        self._tuning.fill("advertise", house.advertise_address)

    async def all(self) -> Sequence[Setting]:
        """By name; those of the miner as the miner has them, if it answers."""
        with contextlib.suppress(Refusal):
            self._note(await self._asker.ask(self._house.miner, GetMiner()))
        return self._tuning.all()

    async def change(self, name: str, text: str, *, persist: bool) -> Setting:
        """Change one, in the file too if it is to ``persist``; one change at a time.

        Raises:
            Refusal: SETTING_NOT_FOUND, SETTING_IMMUTABLE, SETTING_NOT_PERSISTED, FIELD_INVALID, or what the
                actor says.
        """
        value = self._parsed(name, text)
        async with self._changing:
            if not persist:
                await self._apply(name, value)
            else:
                await self._apply_and_persist(name, value)
            self._tuning.note(name, value)
        changed = self._tuning.get(name)
        assert changed is not None, "it was there, and settings do not go"
        return changed

    def _parsed(self, name: str, text: str) -> Value:
        setting = self._tuning.get(name)
        if setting is None:
            message = "the node has no setting of that name"
            raise Refusal(errors_pb2.ERROR_REASON_SETTING_NOT_FOUND, message)
        if setting.parse is None:
            message = f"{name} is fixed while the node runs: set it and start the node again"
            raise Refusal(errors_pb2.ERROR_REASON_SETTING_IMMUTABLE, message, setting=name)
        length = f"must be 1 to {MAX_VALUE_CHARS} characters"  # none is what a caller forgot
        require(0 < len(text) <= MAX_VALUE_CHARS, "value", length)
        try:
            return setting.parse(text)
        except ValueError as error:
            refusal = field_invalid("value", str(error))
            raise refusal from error

    async def _apply_and_persist(self, name: str, value: Value) -> None:
        try:
            with self._tuning.persisting(name, value):
                await self._apply(name, value)
        except OSError as error:
            why = error.strerror or str(error)
            message = f"the settings file cannot be written: {why}"
            reason = errors_pb2.ERROR_REASON_SETTING_NOT_PERSISTED
            raise Refusal(reason, message, setting=name) from error

    async def _apply(self, name: str, value: Value) -> None:
        """Make it so, by the messages that any other client of the actors would send."""
        refusal: MinerRefusal | None = None
        ask, miner = self._asker.ask, self._house.miner
        match name, value:
            case "threads", int():
                refusal = await ask(miner, UpdateMiner(value, None))
            case "coinbase", str():
                refusal = await ask(miner, UpdateMiner(None, bytes.fromhex(value)))
            case "mine", True:
                refusal = await ask(miner, StartMining(None, None))
            case "mine", False:
                await ask(miner, StopMining())
            case "log_level", str():
                assert self._tuning.set_log_level is not None, "else it were not mutable"
                self._tuning.set_log_level(value)
            case _:
                message = f"nobody applies {name}"
                raise AssertionError(message)
        if refusal is not None:
            raise _refused(refusal)

    def _note(self, miner: MinerInfo) -> None:
        self._tuning.note("mine", miner.mining)
        self._tuning.note("threads", miner.threads)
        self._tuning.note("coinbase", miner.coinbase.hex())


def _refused(refusal: MinerRefusal) -> Refusal:
    """The miner's word about a value; the request's field is called so."""
    said = miner_refusal(refusal)
    if said.field is None:
        return said
    return field_invalid("value", said.message.partition(" ")[2])
