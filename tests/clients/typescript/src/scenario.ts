// The steps of the scenario, in their order.
import { readFileSync } from "node:fs";

import { type Event, type EventPosition, EventType } from "../gen/troupe/admin/v1/event";
import { call, Client, present, printLine, streaming } from "./client";
import { printRefusal } from "./refusal";

const RECIPIENT = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/** Goes through all steps; the first that does not go as it must rejects. */
export async function direct(address: string, tokenFile: string, peer: string): Promise<void> {
  await refusedAtTheDoor(address, "no-token", "");
  await refusedAtTheDoor(address, "wrong-token", "wrong");
  const client = new Client(address, readFileSync(tokenFile, "utf8").trim());
  try {
    await status(client);
    await connect(client, peer);
    printLine("generate", { blocks: await generate(client, 3) });
    await mined(client, await transferTwice(client));
    await watchAndResume(client);
    await beRefused(client);
  } finally {
    client.close();
  }
}

async function refusedAtTheDoor(address: string, step: string, token: string): Promise<void> {
  const stranger = new Client(address, token);
  try {
    await printRefusal(step, call(stranger.node, stranger.node.getNode, {}));
  } finally {
    stranger.close();
  }
}

async function status(client: Client): Promise<void> {
  const node = present((await call(client.node, client.node.getNode, {})).node);
  printLine("status", {
    name: node.name,
    network: present(node.network).name,
    state: node.state,
    height: present(node.tip).number,
  });
}

async function connect(client: Client, peer: string): Promise<void> {
  const { peers } = client;
  const first = await call(peers, peers.connectPeer, { address: peer });
  const again = await call(peers, peers.connectPeer, { address: peer });
  const list = await call(peers, peers.listPeers, { pageSize: 10, pageToken: "" });
  printLine("connect", {
    already_connected: [first.alreadyConnected, again.alreadyConnected],
    listed: list.peers.some((each) => each.address === peer),
  });
}

/** Mines blocks and returns their numbers. */
async function generate(client: Client, count: number): Promise<bigint[]> {
  const numbers: bigint[] = [];
  for await (const answer of client.miner.generateBlocks({ count }, streaming())) {
    numbers.push(present(answer.block).number);
  }
  return numbers;
}

/** Pays, and again with the same request id; returns the id of the transaction. */
async function transferTwice(client: Client): Promise<string> {
  const { wallet } = client;
  const request = { recipient: RECIPIENT, amount: 250n, requestId: "scenario-1" };
  const first = await call(wallet, wallet.transfer, request);
  const again = await call(wallet, wallet.transfer, request);
  const { id } = present(first.transaction);
  printLine("transfer", { state: first.state, same: present(again.transaction).id === id });
  return id;
}

async function mined(client: Client, id: string): Promise<void> {
  await generate(client, 1);
  const { chain } = client;
  const included = await call(chain, chain.getTransaction, { id });
  const paid = await call(chain, chain.getAccount, { address: RECIPIENT });
  printLine("mined", {
    block: present(included.block).number,
    confirmations: included.confirmations,
    balance: present(paid.account).balance,
  });
}

async function watchAndResume(client: Client): Promise<void> {
  const before = await watchTips(client, undefined, 3, 2);
  printLine("watch", { tips: before.map(numberOf) });
  await generate(client, 1);
  const { epoch, sequence } = present(before.at(-1));
  const after = await watchTips(client, { epoch, sequence }, 1, 3);
  printLine("resume", { tips: after.map(numberOf), ascending: ascending([...before, ...after]) });
}

/**
 * Watches from a position on (undefined: from now), mines blocks once the watch has started, and breaks off
 * when it has seen as many tips as wanted.
 */
async function watchTips(
  client: Client,
  resumeAfter: EventPosition | undefined,
  mine: number,
  want: number,
): Promise<Event[]> {
  const request = { types: [EventType.EVENT_TYPE_TIP_CHANGED], resumeAfter };
  const stream = client.events.watchEvents(request, streaming());
  stream.once("error", () => undefined); // to cancel it is an error too, and comes when nobody reads any more
  const tips: Event[] = [];
  for await (const answer of stream) {
    const event: Event = present(answer.event);
    if (event.type === EventType.EVENT_TYPE_WATCH_STARTED) {
      await generate(client, mine);
    } else if (tips.push(event) === want) {
      break;
    }
  }
  stream.cancel();
  return tips;
}

function numberOf(event: Event): bigint {
  if (event.body?.$case !== "tipChanged") {
    throw new Error(`an event that was not asked for: ${event.type}`);
  }
  return present(event.body.tipChanged.tip).number;
}

function ascending(events: Event[]): boolean {
  return events.every((each, index) => {
    const before = events[index - 1];
    return before === undefined || (each.epoch === before.epoch && each.sequence > before.sequence);
  });
}

async function beRefused(client: Client): Promise<void> {
  const { chain, wallet, peers } = client;
  const unknown = { block: { $case: "hash", hash: "0".repeat(64) } } as const;
  await printRefusal("unknown-block", call(chain, chain.getBlock, unknown));
  const tooMuch = { recipient: RECIPIENT, amount: 1_000_000n, requestId: "" };
  await printRefusal("too-much", call(wallet, wallet.transfer, tooMuch));
  await printRefusal("bad-field", call(peers, peers.connectPeer, { address: "nowhere" }));
}
