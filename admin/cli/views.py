"""What a table shows of each kind of data; pure, from the dictionaries of ``output`` to its views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from admin.cli.output import Columns, Facts
from admin.cli.text import (
    ABSENT,
    clock_time,
    count,
    duration,
    hash_rate,
    local_time,
    plural,
    progress,
    short,
    yes_no,
)

Data = Mapping[str, Any]

SYNCING = "syncing"


def ref(block: Data | None) -> str:
    """A block by number and hash."""
    return ABSENT if block is None else f"{count(block['number'])}  {block['hash']}"


def node(data: Data) -> Facts:
    """A node at a glance."""
    listening, advertised = data["listen_address"], data["advertise_address"]
    if advertised != listening:
        listening += f", advertised as {advertised}"
    network, pending = data["network"] or {}, data["mempool_pending_count"]
    state, sync = _state(data), data["sync_progress"]
    best = data["best_known_height"]
    behind = best is not None and data["tip"] is not None and best > data["tip"]["number"]
    mempool = ABSENT
    if pending is not None:
        mempool = f"{count(pending)} pending, {count(data['mempool_queued_count'])} queued"
    mining, note = yes_no(data["mining"]), data["miner_engine_note"]
    if data["mining"]:
        mining += f", {hash_rate(data['hashes_per_s'])}, {data['miner_engine']}"
    return Facts(
        (
            ("state", state),
            *((("sync", progress(sync)),) if sync and data["state"] != SYNCING else ()),
            ("network", f"{network.get('name')} (difficulty {network.get('difficulty')})"),
            ("tip", ref(data["tip"])),
            *((("best known", count(best)),) if behind else ()),
            ("peers", count(data["peer_count"])),
            ("mempool", mempool),
            ("mining", mining),
            *((("engine", f"{data['miner_engine']}: {note}"),) if note else ()),
            ("listening", listening),
            ("up", duration(data["uptime_s"])),
            ("version", f"{data['name']} {data['version']}"),
        )
    )


def _state(data: Data) -> str:
    """The state with its reasons; of a sync how far it is says more than they do."""
    if data["state"] == SYNCING and data["sync_progress"]:
        return f"{SYNCING} {progress(data['sync_progress'])}"
    return str(data["state"]) + "".join(f"; {reason}" for reason in data["state_reasons"])


def node_line(data: Data) -> str:
    """A node at a glance, in one line."""
    tip, mining, sync = data["tip"], yes_no(data["mining"]), data["sync_progress"]
    if data["mining"]:
        mining = hash_rate(data["hashes_per_s"])
    return (
        f"{data['state']:<8}  block {count(tip['number']) if tip else ABSENT}"
        f"  {ABSENT if tip is None else short(tip['hash'])}"
        f"  peers {count(data['peer_count'])}"
        f"  pending {count(data['mempool_pending_count'])}  mining {mining}"
        f"{f'  sync {progress(sync)}' if sync else ''}"
    )


def peers(data: Sequence[Data]) -> Columns:
    """The peers of a node."""
    return Columns(
        ("ADDRESS", "DIRECTION", "KIND", ">HEIGHT", ">SCORE", "AGENT", "SINCE"),
        tuple(
            (
                each["address"],
                "outbound" if each["initiated"] else "inbound",
                ABSENT if each["kind"] == "unspecified" else each["kind"],
                count(each["height"]),
                f"{each['score']:.0f}",
                each["agent"] or ABSENT,
                local_time(each["connect_time"]),
            )
            for each in data
        ),
        "No peers. Connect to one with `troupe peers connect HOST:PORT`.",
    )


def chain(data: Data) -> Facts:
    """A chain at a glance."""
    network, imported = data["network"] or {}, data["import_progress"]
    return Facts(
        (
            ("network", f"{network.get('name')} (difficulty {network.get('difficulty')})"),
            ("tip", ref(data["tip"])),
            ("genesis", data["genesis_hash"]),
            ("sync", sync_words(data)),
            ("best known", count(data["best_known_height"])),
            ("side blocks", count(data["side_block_count"])),
            ("orphans", count(data["orphan_count"])),
            ("supply", count(data["supply"])),
            ("accounts kept", _history(data["history_start_number"])),
            *((("import", progress(imported)),) if imported else ()),
        )
    )


def sync_words(data: Data) -> str:
    """What a chain does about those of its peers, and how far it is."""
    words, sync = str(data["sync_state"]), data["sync_progress"]
    return f"{words}, {progress(sync)}" if sync else words


def _history(start: int) -> str:
    return f"as of block {count(start)} and later" if start else "as of every block"


def blocks(data: Sequence[Data]) -> Columns:
    """A line for each block."""
    return Columns(
        (">NUMBER", "HASH", ">TXS", ">BYTES", "COINBASE"),
        tuple(
            (
                count(each["number"]),
                each["hash"],
                count(each["transaction_count"]),
                count(each["size_bytes"]),
                short(each["coinbase"]),
            )
            for each in data
        ),
        "No blocks.",
    )


def block(data: Data) -> tuple[Facts, Columns]:
    """A block and what is in it."""
    body = data["block"]
    place = "on a side branch"
    if data["canonical"]:
        place = f"canonical, {plural(data['confirmations'], 'confirmation')}"
    facts = Facts(
        (
            ("number", count(body["number"])),
            ("hash", body["hash"]),
            ("parent", body["parent_hash"]),
            ("chain", place),
            ("coinbase", body["coinbase"]),
            ("nonce", str(body["nonce"])),
            ("size", f"{count(len(body['raw']))} bytes"),
        )
    )
    return facts, transactions(body["transactions"])


def transactions(data: Sequence[Data]) -> Columns:
    """A line for each transaction."""
    rows = tuple(_transaction_row(each) for each in data)
    return Columns(_TRANSACTION_HEADS, rows, "No transactions.")


_TRANSACTION_HEADS = ("TRANSACTION", "SENDER", "RECIPIENT", ">NONCE", ">AMOUNT")


def _transaction_row(data: Data) -> tuple[str, ...]:
    return (
        data["id"],
        short(data["sender"]),
        short(data["recipient"]),
        str(data["nonce"]),
        count(data["amount"]),
    )


def transaction(data: Data) -> Facts:
    """A transaction and where it stands."""
    body, place = data["transaction"], data["state"]
    if data["block"] is not None:
        place += (
            f" in block {count(data['block']['number'])},"
            f" {plural(data['confirmations'], 'confirmation')}"
        )
    return Facts(
        (
            ("id", body["id"]),
            ("state", place),
            ("sender", body["sender"]),
            ("recipient", body["recipient"]),
            ("nonce", str(body["nonce"])),
            ("amount", count(body["amount"])),
            ("signature", body["signature"]),
        )
    )


def mempool(data: Data) -> tuple[Facts, Columns]:
    """The mempool, its limits and its transactions."""
    facts = Facts(
        (
            ("pending", f"{count(data['pending_count'])} of {count(data['max_pending_count'])}"),
            ("queued", f"{count(data['queued_count'])} of {count(data['max_queued_count'])}"),
            ("senders", count(data["sender_count"])),
            ("size", f"{count(data['size_bytes'])} bytes"),
        )
    )
    rows = tuple(
        (each["state"], *_transaction_row(each["transaction"])) for each in data["transactions"]
    )
    return facts, Columns(("STATE", *_TRANSACTION_HEADS), rows, "No transactions.")


def account(data: Data) -> Facts:
    """An account as of a block."""
    return Facts(
        (
            ("address", data["address"]),
            ("balance", count(data["balance"])),
            ("nonce", str(data["nonce"])),
            ("as of block", ref(data["at"])),
        )
    )


def miner(data: Data) -> Facts:
    """What the miner does and has done."""
    state = "stopped"
    if data["mining"]:
        state = (
            "mining"
            if data["template_number"] is None
            else (f"mining block {count(data['template_number'])}")
        )
    return Facts(
        (
            ("state", state),
            ("hash rate", hash_rate(data["hashes_per_s"])),
            ("threads", count(data["threads"])),
            ("coinbase", data["coinbase"] or ABSENT),
            ("found", plural(data["found_block_count"], "block")),
            ("stale", plural(data["stale_block_count"], "block")),
            ("hashes", count(data["hash_count"])),
            ("engine", _engine(data)),
        )
    )


def _engine(data: Data) -> str:
    """What scans, how, and why not faster."""
    if data["native"]:
        return f"{data['engine']}, native"
    note = f": {data['engine_note']}" if data["engine_note"] else ""
    return f"{data['engine'] or ABSENT}, not native{note}"


def event(data: Data) -> str:
    """An event in one line."""
    words = _event_words(data)
    return f"{clock_time(data['time'])}  {data['type']:<20}  {words}".rstrip()


def _event_words(data: Data) -> str:
    body = data.get(data["type"].replace("-", "_"), {})
    match data["type"]:
        case "watch-started":
            return f"from sequence {data['sequence']} on"
        case "tip-changed":
            tip = body["tip"] or {"number": 0, "hash": ""}
            moved = f"+{body['connected_count']}"
            if body["disconnected_count"]:
                moved += f" -{body['disconnected_count']} (reorganisation)"
            return f"block {count(tip['number'])} {short(tip['hash'])}  {moved}"
        case "transaction-added":
            state = "pending" if body["pending"] else "queued"
            tx = body["transaction"]
            return f"{short(tx['id'])} {state}, {count(tx['amount'])} to {short(tx['recipient'])}"
        case "transaction-removed":
            return f"{short(body['tx_id'])} {body['reason']}"
        case "peer-connected":
            return f"{body['address']} {'outbound' if body['initiated'] else 'inbound'}"
        case "peer-disconnected":
            return str(body["address"])
        case _:
            return ""
