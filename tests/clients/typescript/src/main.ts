// Directs a troupe node over its admin plane: the scenario of ../../README.md, in TypeScript on Node.js.
import { direct } from "./scenario";

const [address, tokenFile, peer] = process.argv.slice(2);
if (address === undefined || tokenFile === undefined || peer === undefined || process.argv.length > 5) {
  console.error("usage: main.js ADMIN TOKEN_FILE PEER");
  process.exitCode = 2;
} else {
  direct(address, tokenFile, peer).catch((error: unknown) => {
    console.error("Error:", error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
