// A client of the gateway's local port: TLS 1.3 with the system's certificate, a request id for each change, and a watch
// that goes on after an interruption.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

import { fromJsonString } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Code, ConnectError, createClient, type Client } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { AlertContentSchema } from "./gen/gateway/v1/alert_pb.js";
import { AlertService, type AlertChange, type AlertSummary } from "./gen/gateway/v1/alert_service_pb.js";

/** Files and address of one system at one gateway. */
export interface Connection {
  address: string; // host:port of the local port
  ca: string;
  certificate: string;
  key: string;
  serverName?: string; // NODE.FEDERATION, where the certificate doesn't name the host
}

const CALL_MS = 10_000;
const PAUSE_MS = 1_000;
const TRANSIENT = new Set([Code.Unavailable, Code.ResourceExhausted, Code.DeadlineExceeded]);

export class Gateway {
  readonly alerts: Client<typeof AlertService>;

  constructor(to: Connection) {
    const transport = createGrpcTransport({
      baseUrl: `https://${to.address}`,
      nodeOptions: {
        ca: readFileSync(to.ca),
        cert: readFileSync(to.certificate),
        key: readFileSync(to.key),
        minVersion: "TLSv1.3",
        ...(to.serverName === undefined ? {} : { servername: to.serverName }),
      },
    });
    this.alerts = createClient(AlertService, transport);
  }

  /** Publishes an alert given as JSON; returns its id. Sent again with its request id, it is published once. */
  async publish(json: string, recipients: string[]): Promise<string> {
    const request = { requestId: randomUUID(), recipients, content: fromJsonString(AlertContentSchema, json) };
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.alerts.publishAlert(request, { timeoutMs: CALL_MS })).alertId;
      } catch (error) {
        if (attempt === 3 || !TRANSIENT.has(ConnectError.from(error).code)) throw error;
        await setTimeout(PAUSE_MS);
      }
    }
  }

  /** Alerts, newest first, page by page. */
  async *list(filter = ""): AsyncGenerator<AlertSummary> {
    let pageToken = "";
    do {
      const page = await this.alerts.listAlerts({ filter, pageToken, pageSize: 100 }, { timeoutMs: CALL_MS });
      yield* page.alerts;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /** Every change after a position, once and in order, across interruptions. Store `position` with its effect. */
  async *watch(position = 0n): AsyncGenerator<AlertChange> {
    for (;;) {
      try {
        for await (const response of this.alerts.watchAlerts({ position })) {
          for (const change of response.changes) {
            position = change.position;
            yield change;
          }
        }
      } catch (error) {
        if (!TRANSIENT.has(ConnectError.from(error).code)) throw error;
        await setTimeout(PAUSE_MS);
      }
    }
  }
}

/** The error's reason from the list in the reference, e.g. AGREEMENT_FORBIDS. */
export function reasonOf(error: unknown): string {
  for (const detail of ConnectError.from(error).details) {
    if (!("type" in detail) || detail.type !== "google.rpc.ErrorInfo") continue;
    const reader = new BinaryReader(detail.value);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 1) return reader.string();
      reader.skip(wireType);
    }
  }
  return Code[ConnectError.from(error).code] ?? "";
}
