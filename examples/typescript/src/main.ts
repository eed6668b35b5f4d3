// node dist/main.js --address 127.0.0.1:7444 --ca ca.pem --cert risk-engine.pem --key risk-engine.key COMMAND
//   publish FILE RECIPIENT…   publish the alert in a JSON file; prints its id
//   list [FILTER]             print the alerts' names, newest first
//   watch COUNT               print so many changes as they come

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { Gateway, reasonOf } from "./gateway.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    address: { type: "string", default: "127.0.0.1:7444" },
    ca: { type: "string", default: "" },
    cert: { type: "string", default: "" },
    key: { type: "string", default: "" },
    "server-name": { type: "string" },
  },
});
const [command = "", ...rest] = positionals;

async function run(gateway: Gateway): Promise<void> {
  if (command === "publish") {
    const [file = "", ...recipients] = rest;
    console.log(await gateway.publish(readFileSync(file, "utf8"), recipients));
  } else if (command === "list") {
    for await (const { alert } of gateway.list(rest[0])) console.log(`${alert?.publisher}/${alert?.id}`);
  } else if (command === "watch") {
    let left = Number(rest[0] ?? "1");
    for await (const { position, alert, event } of gateway.watch()) {
      console.log(`${position} ${alert?.publisher}/${alert?.alertId} ${event?.event.case}`);
      if (--left <= 0) return;
    }
  } else {
    throw new Error("commands: publish FILE RECIPIENT…, list [FILTER], watch COUNT");
  }
}

try {
  const serverName = values["server-name"];
  await run(
    new Gateway({
      address: values.address,
      ca: values.ca,
      certificate: values.cert,
      key: values.key,
      ...(serverName === undefined ? {} : { serverName }),
    }),
  );
  process.exit(0); // the connection would stay open
} catch (error) {
  console.error(`${reasonOf(error)}: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
