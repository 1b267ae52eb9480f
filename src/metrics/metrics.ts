import { Registry } from 'prom-client'
import type { PoolEvent, UseObserver } from '../../db/index.ts'
import { addGauges, type GaugeSources } from './gauges.ts'
import { createRequestMetrics, type RequestObserver } from './request-metrics.ts'
import { createEventMetrics, createUseMetrics } from './use-metrics.ts'

/** All that an operator can count, in a registry of its own. */
export interface Metrics {
  readonly registry: Registry
  readonly requests: RequestObserver
  readonly uses: UseObserver
  readonly onPoolEvent: (event: PoolEvent) => void
  /** Adds what is read at each scrape; once. */
  readonly watch: (sources: Omit<GaugeSources, 'pool' | 'isOutage'>) => void
}

/** `poolName` tells several services over several databases apart. */
export function createMetrics(poolName: string): Metrics {
  const registry = new Registry()
  const pool = { db_client_connection_pool_name: poolName }
  const { onEvent, isOutage } = createEventMetrics(registry, pool)
  return {
    registry,
    requests: createRequestMetrics(registry),
    uses: createUseMetrics(registry, pool),
    onPoolEvent: onEvent,
    watch: (sources) => addGauges(registry, { ...sources, pool, isOutage }),
  }
}
