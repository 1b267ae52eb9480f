import { type OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Node's response with the headers that every answer has: put in one by one beforehand they cost 9 us a request. */
export class Answer extends ServerResponse {
  /** Empty until a request has its id. */
  common: Readonly<Record<string, string>> = {}

  override writeHead(status: number, reason?: string | OutgoingHttpHeaders | unknown[], headers?: unknown): this
  override writeHead(status: number, headers: OutgoingHttpHeaders): this {
    if (this.destroyed) return this
    // Whoever answers here, node-server and http-server.ts, gives the headers as one object.
    return super.writeHead(status, { ...headers, ...this.common })
  }

  /** Its client may have left: what is made for nobody, and Node's error for it, would cost 4 KB for each who did. */
  override end(body?: unknown): this {
    return this.destroyed ? this : super.end(body)
  }
}

export function commonHeaders(requestId: string): Readonly<Record<string, string>> {
  return { 'X-Request-Id': requestId, 'X-Content-Type-Options': 'nosniff' }
}
