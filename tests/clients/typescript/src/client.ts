// A connection to a node with a token, and the services that the scenario calls.
import {
  type CallOptions,
  type Client as GrpcClient,
  credentials,
  InterceptingCall,
  type Interceptor,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";

import { ChainServiceClient } from "../gen/troupe/admin/v1/chain_service";
import { EventServiceClient } from "../gen/troupe/admin/v1/event_service";
import { MinerServiceClient } from "../gen/troupe/admin/v1/miner_service";
import { NodeServiceClient } from "../gen/troupe/admin/v1/node_service";
import { PeerServiceClient } from "../gen/troupe/admin/v1/peer_service";
import { WalletServiceClient } from "../gen/troupe/admin/v1/wallet_service";

const CALL_TIMEOUT_MS = 30_000;
const STREAM_TIMEOUT_MS = 60_000;

export class Client {
  readonly node: NodeServiceClient;
  readonly peers: PeerServiceClient;
  readonly miner: MinerServiceClient;
  readonly wallet: WalletServiceClient;
  readonly chain: ChainServiceClient;
  readonly events: EventServiceClient;

  constructor(address: string, token: string) {
    const options = { interceptors: [bearer(token)] };
    this.node = new NodeServiceClient(address, credentials.createInsecure(), options);
    const shared = { ...options, channelOverride: this.node.getChannel() };
    this.peers = new PeerServiceClient(address, credentials.createInsecure(), shared);
    this.miner = new MinerServiceClient(address, credentials.createInsecure(), shared);
    this.wallet = new WalletServiceClient(address, credentials.createInsecure(), shared);
    this.chain = new ChainServiceClient(address, credentials.createInsecure(), shared);
    this.events = new EventServiceClient(address, credentials.createInsecure(), shared);
  }

  close(): void {
    this.node.close();
  }
}

/** Sends a token with every call; "" is none. */
function bearer(token: string): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        if (token !== "") {
          metadata.set("authorization", `Bearer ${token}`);
        }
        next(metadata, listener);
      },
    });
}

type Unary<Q, A> = (
  request: Q,
  metadata: Metadata,
  options: CallOptions,
  callback: (error: ServiceError | null, answer: A) => void,
) => unknown;

/** Makes a unary call with a deadline; rejects with a ServiceError. */
export function call<Q, A>(service: GrpcClient, method: Unary<Q, A>, request: Q): Promise<A> {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + CALL_TIMEOUT_MS };
    method.call(service, request, new Metadata(), options, (error, answer) => {
      if (error === null) {
        resolve(answer);
      } else {
        reject(error);
      }
    });
  });
}

/** The options of a stream. */
export function streaming(): CallOptions {
  return { deadline: Date.now() + STREAM_TIMEOUT_MS };
}

/** A field that every answer has, although a message may lack any field. */
export function present<T>(value: T | undefined): T {
  if (value === undefined) {
    throw new Error("the answer lacks a field that it always has");
  }
  return value;
}

/** Prints a line of the scenario; its numbers are small enough for JSON. */
export function printLine(step: string, figures: Record<string, unknown>): void {
  const exact = (_key: string, value: unknown) => (typeof value === "bigint" ? Number(value) : value);
  console.log(JSON.stringify({ step, ...figures }, exact));
}
