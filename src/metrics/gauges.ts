import { Counter, Gauge, type Registry } from 'prom-client'
import { type Database, evictReasons } from '../../db/index.ts'
import type { LifecycleState } from '../lifecycle.ts'
import type { Version } from '../routes/version.ts'

/** Where gauges and counters are read from, at each scrape and never between. */
export interface GaugeSources {
  readonly database: Pick<Database, 'stats' | 'counters' | 'poolOptions'>
  readonly pool: Readonly<Record<string, string>>
  readonly isOutage: () => boolean
  readonly state: () => LifecycleState
  readonly isReady: () => Promise<boolean>
  readonly version: Version
}

interface Described {
  readonly name: string
  readonly help: string
}

export function addGauges(registry: Registry, sources: GaugeSources): void {
  addConnectionGauges(registry, sources)
  addPoolCounters(registry, sources)
  addStateGauges(registry, sources)
}

/** OpenTelemetry's names. */
function addConnectionGauges(registry: Registry, { database, pool }: GaugeSources): void {
  const gauge = (described: Described, read: () => number) => {
    const collect = function (this: Gauge) {
      this.set(pool, read())
    }
    new Gauge({ ...described, labelNames: Object.keys(pool), registers: [registry], collect })
  }
  new Gauge({
    name: 'db_client_connection_count',
    help: 'Open connections, by whether a caller or the pool itself uses them.',
    labelNames: [...Object.keys(pool), 'db_client_connection_state'],
    registers: [registry],
    collect() {
      const { total, idle } = database.stats
      this.set({ ...pool, db_client_connection_state: 'idle' }, idle)
      this.set({ ...pool, db_client_connection_state: 'used' }, total - idle)
    },
  })
  const { size, minIdle } = database.poolOptions
  gauge({ name: 'db_client_connection_max', help: 'Most connections for callers.' }, () => size)
  gauge({ name: 'db_client_connection_idle_min', help: 'Idle connections that are kept.' }, () => minIdle)
  const pending = { name: 'db_client_connection_pending_requests', help: 'Callers that wait for a connection.' }
  gauge(pending, () => database.stats.waiting)
  const timeouts = {
    name: 'db_client_connection_timeouts_total',
    help: 'Callers that got no connection in their time.',
    labelNames: Object.keys(pool),
  }
  new Counter({
    ...timeouts,
    registers: [registry],
    collect() {
      this.reset()
      this.inc(pool, database.counters.acquireTimeouts)
    },
  })
}

function addPoolCounters(registry: Registry, { database }: GaugeSources): void {
  const counter = (described: Described, read: () => number) => {
    const collect = function (this: Counter) {
      this.reset()
      this.inc(read())
    }
    new Counter({ ...described, registers: [registry], collect })
  }
  new Counter({
    name: 'pool_evicted_total',
    help: 'Connections closed, by why.',
    labelNames: ['reason'],
    registers: [registry],
    collect() {
      this.reset()
      for (const reason of evictReasons) this.inc({ reason }, database.counters.evicted[reason] ?? 0)
    },
  })
  counter({ name: 'pool_retried_total', help: 'Statements run again.' }, () => database.counters.retried)
  counter({ name: 'pool_refused_total', help: 'Callers refused on arrival.' }, () => database.counters.refused)
  const unknown = { name: 'pool_unknown_outcomes_total', help: 'Statements and COMMITs sent and not answered.' }
  counter(unknown, () => database.counters.unknownOutcomes)
  const failures = { name: 'pool_connect_failures_total', help: 'Attempts to connect that failed.' }
  counter(failures, () => database.counters.connectFailures)
}

function addStateGauges(registry: Registry, { isOutage, state, isReady, version }: GaugeSources): void {
  const gauge = (described: Described, read: () => boolean | Promise<boolean>) => {
    const collect = async function (this: Gauge) {
      this.set((await read()) ? 1 : 0)
    }
    new Gauge({ ...described, registers: [registry], collect })
  }
  gauge({ name: 'pool_outage', help: '1 while no new connection can be opened.' }, isOutage)
  gauge({ name: 'app_draining', help: '1 from the signal to stop on.' }, () => state().name === 'draining')
  gauge({ name: 'app_ready', help: '1 when /readyz would say so.' }, isReady)
  new Gauge({
    name: 'build_info',
    help: 'What runs here.',
    labelNames: ['version', 'node', 'commit'],
    registers: [registry],
  }).set({ version: version.version, node: version.node, commit: version.commit ?? '' }, 1)
}
