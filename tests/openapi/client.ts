// What a client in TypeScript writes with the types that openapi-typescript makes of the document: compiled, never run.
import type { components, paths } from "./api.js";

type Start = paths["/v1/users/{user}/sessions/{session}"]["put"];
export type Granted = Start["responses"][201]["content"]["application/json"];
export type Denied = Start["responses"][409]["content"]["application/json"];

export function startBody(device: string): components["schemas"]["Start"] {
  return { device, ttl: 120, meta: { type: "tv" } };
}

export function tell(answer: Granted | Denied): string {
  if ("sessions" in answer) return `${answer.message} ${answer.sessions.map((each) => each.session).join()}`;
  if ("error" in answer) return answer.message;
  return `${answer.concurrentSessions} of ${answer.limit} until ${answer.expiresAt}`;
}

export const reason = (gone: components["schemas"]["Gone"]): "ended" | "expired" | "evicted" | "purged" | "denied" | "other_start" =>
  gone.reason;
