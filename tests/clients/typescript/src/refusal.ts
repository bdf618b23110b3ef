// What a refused call fails with.
import { type ServiceError, status } from "@grpc/grpc-js";

import { BadRequest, ErrorInfo } from "../gen/google/rpc/error_details";
import { Status } from "../gen/google/rpc/status";
import { printLine } from "./client";

const ANY_TYPE = "type.googleapis.com/";

/** Prints what a call failed with. Throws if the call did not fail, or without a reason. */
export async function printRefusal(step: string, failing: Promise<unknown>): Promise<void> {
  const failure = await failing.then(
    () => {
      throw new Error(`${step}: the call was not refused`);
    },
    (error: ServiceError) => error,
  );
  let info: ErrorInfo | undefined;
  let fields: string[] = [];
  for (const detail of detailsOf(failure)) {
    if (detail.typeUrl === `${ANY_TYPE}google.rpc.ErrorInfo`) {
      info = ErrorInfo.decode(detail.value);
    } else if (detail.typeUrl === `${ANY_TYPE}google.rpc.BadRequest`) {
      fields = BadRequest.decode(detail.value).fieldViolations.map((violation) => violation.field);
    }
  }
  if (info === undefined) {
    throw failure;
  }
  const { domain, reason, metadata } = info;
  printLine(step, { code: status[failure.code], domain, reason, metadata, fields });
}

function detailsOf(failure: ServiceError): Status["details"] {
  const [trailer] = failure.metadata.get("grpc-status-details-bin");
  return trailer instanceof Buffer ? Status.decode(trailer).details : [];
}
