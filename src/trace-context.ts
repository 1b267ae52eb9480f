/** Who asked, as the caller's tracing knows it; names as OpenTelemetry has them in logs. */
export interface TraceContext {
  readonly trace_id: string
  readonly span_id: string
}

const HEADER = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/

/** Reads a `traceparent` (https://www.w3.org/TR/trace-context/); undefined for none, and for one that is malformed. */
export function parseTraceparent(header: string | undefined): TraceContext | undefined {
  if (header === undefined) return undefined
  const [, traceId, spanId, rest] = HEADER.exec(header) ?? []
  if (!traceId || !spanId || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  if (rest !== undefined && header.startsWith('00')) return undefined // version 00 ends here; later ones may go on
  return { trace_id: traceId, span_id: spanId }
}
