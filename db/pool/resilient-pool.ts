import type { Clock } from '../clock.ts'
import { ConnectRefusedError, PoolClosedError } from '../errors.ts'
import { Scope } from '../scope.ts'
import { jittered, type Random } from './backoff.ts'
import { ConnectGate } from './connect-gate.ts'
import type { Connection, Session } from './connection.ts'
import type { ConnectionSource, ReleaseNote } from './connection-source.ts'
import type { Connector } from './connector.ts'
import { LateReads } from './late-reads.ts'
import type { Link } from './link.ts'
import type { LoopTurn } from './loop-turn.ts'
import { type Member, Members } from './members.ts'
import { Opener } from './opener.ts'
import type { PoolOptions } from './options.ts'
import { judgeIdle, judgeRelease, judgeUrgency } from './policy.ts'
import { checkPool, type PoolCheck } from './pool-check.ts'
import { canBeAskedAbout, SessionControl } from './session-control.ts'
import type { EvictReason, PoolEvent, PoolStats } from './stats.ts'
import { startUpkeep } from './upkeep.ts'
import { type UseObserver, unobserved } from './use-observer.ts'
import { WaitingLine } from './waiting-line.ts'
import { WedgeMonitor } from './wedge-monitor.ts'

/** How long a statement whose caller has left may still take before it is killed, or a few round trips: most end by themselves. */
const ABANDONED_GRACE_MS = 50
/** Between two evictions of everything: when every server is read-only, reads go on. */
const FAILOVER_INTERVAL_MS = 1000
const LIFETIME_JITTER = 0.1
/** A ping that takes longer, or a few round trips, is probably one of many that fail: one connection more than `size` may be opened. */
const DOUBT_AFTER_MS = 100

export interface PoolDependencies {
  readonly connector: Connector
  readonly clock: Clock
  readonly turn: LoopTurn
  readonly link: Link
  readonly random: Random
  readonly onEvent: (event: PoolEvent) => void
  readonly observer?: UseObserver
}

/**
 * Queue, idle list and policy over connections that somebody else opens. A caller gets a connection that has just proved
 * to be alive, or an error within its own time; what a connection went through decides what becomes of it afterwards.
 */
export class ResilientPool implements ConnectionSource {
  readonly #options: PoolOptions
  readonly #deps: PoolDependencies
  readonly #members = new Members()
  readonly #line: WaitingLine
  readonly #opener: Opener
  readonly #control: SessionControl
  readonly #lateReads: LateReads
  readonly #wedge: WedgeMonitor
  readonly #observer: UseObserver
  readonly #stopUpkeep: () => void
  #generation = 0
  #isReplacing = false
  /** With no connection left an attempt failed in a way that time does not mend; earlier failures say less. */
  #isRefused = false
  /** While the pool is checked: how many connections there shall be. */
  #keptOpen = 0
  /** Owe an answer to a ping or a read for longer than they should. */
  readonly #late = new Set<Member>()
  #lastFailoverAtMs = Number.NEGATIVE_INFINITY
  #lastRefusalAtMs = Number.NEGATIVE_INFINITY
  #closing: Promise<void> | undefined
  #onEmpty: (() => void) | undefined

  constructor(options: PoolOptions, deps: PoolDependencies) {
    this.#options = options
    this.#deps = deps
    this.#opener = new Opener({
      ...deps,
      gate: new ConnectGate(deps.random),
      demand: () => this.#demand(),
      onOpened: (connection) => this.#join(connection),
      onFailed: () => this.#connectFailed(),
      onDeath: (connection) => this.#died(connection),
    })
    this.#line = new WaitingLine(options, {
      ...deps,
      stats: () => this.stats,
      lastFailure: () => this.#opener.lastFailure,
    })
    this.#observer = deps.observer ?? unobserved
    this.#control = new SessionControl((onDeath) => this.#opener.openOutside(onDeath))
    this.#lateReads = new LateReads({ ...deps, control: this.#control })
    this.#wedge = new WedgeMonitor(options.wedgedAfterMs, {
      clock: deps.clock,
      members: this.#members,
      waiting: () => this.#line.length,
      openOutside: () => this.#opener.openOutside(() => {}),
    })
    this.#stopUpkeep = startUpkeep(options, {
      clock: deps.clock,
      control: this.#control,
      link: deps.link,
      members: this.#members,
      evict: (member, reason) => this.#evict(member, reason),
      validate: (member) => void this.#validate(member),
      replace: () => this.#replaceOne(),
      refill: () => this.#opener.pump(),
      watch: () => void this.#wedge.check(),
    })
  }

  get stats(): PoolStats {
    return {
      total: this.#members.total,
      idle: this.#members.count('idle'),
      acquired: this.#members.count('acquired'),
      waiting: this.#line.length,
      connecting: this.#opener.countedOn,
    }
  }

  /** Whether only a restart can help: see `WedgeWatch`. */
  get isWedged(): boolean {
    return this.#wedge.isWedged
  }

  /** Pings every idle connection, replaces the dead ones, and asks the server about itself. Never throws. */
  check(): Promise<PoolCheck> {
    return checkPool({
      clock: this.#deps.clock,
      members: this.#members,
      control: this.#control,
      link: this.#deps.link,
      validationTimeoutMs: this.#options.validationTimeoutMs,
      validate: (member) => this.#validate(member),
      keepOpen: (count) => {
        this.#keptOpen = count
        this.#opener.pump()
      },
      lastFailure: () => this.#opener.lastFailure,
    })
  }

  /**
   * A connection that was alive a moment ago, or, `isProven` being false, one that proves it with its first statement.
   * @throws AcquireTimeoutError, QueueFullError, ConnectRefusedError, PoolClosedError, or the scope's reason
   */
  async acquire(scope?: Scope): Promise<Connection> {
    if (this.#closing) throw new PoolClosedError()
    if (scope?.reason) throw scope.reason
    if (this.#line.length === 0) {
      const member = this.#takeIdle(scope)
      if (member && (member.connection.isFresh || (await this.#isAliveNow(member, scope)))) {
        this.#observer.waited(0) // a turn of the loop at most: not worth reading the clock
        return member.connection
      }
    }
    return await this.#wait(scope)
  }

  async prove(connection: Connection, scope: Scope | undefined): Promise<Connection> {
    const member = this.#members.get(connection)
    if (member?.state.name !== 'acquired') throw new Error('a connection that was not acquired cannot prove itself')
    void this.#validate(member)
    return await this.#wait(scope)
  }

  watch(connection: Connection, scope: Scope | undefined, onReplaced: (next: Connection) => void): () => void {
    const member = this.#members.get(connection)
    if (!member) return () => {}
    let stopReplacing: (() => void) | undefined
    const stopWatching = this.#lateReads.watch(connection, {
      onLate: () => {
        this.#late.add(member)
        this.#opener.pump()
      },
      onBusy: () => this.#late.delete(member),
      onSilent: () => {
        this.#suspect(member)
        const waiting = new Scope(this.#deps.clock, (scope?.deadlineAtMs ?? Infinity) - this.#deps.clock.now())
        stopReplacing = () => waiting.abort(new Error('answered'))
        void this.#replace(waiting, onReplaced)
      },
    })
    return () => {
      this.#late.delete(member)
      stopWatching()
      stopReplacing?.()
    }
  }

  /** Takes back what `acquire` gave. What the caller's statements left behind decides what becomes of it. */
  release(connection: Connection, note: ReleaseNote): void {
    const member = this.#members.get(connection)
    if (member?.state.name !== 'acquired') throw new Error('released a connection that was not acquired')
    const nowMs = this.#deps.clock.now()
    const heldMs = nowMs - member.state.sinceMs
    this.#line.recordHold(heldMs)
    this.#observer.held(heldMs)
    connection.lastUsedAtMs = nowMs
    if (connection.isFresh) {
      connection.lastAliveAtMs = nowMs
      member.generation = this.#generation
    }
    this.#settle(member, note)
  }

  /** The connection's server takes no writes now: everybody moves to where new connections lead, at most once a second. */
  moveAway(connection: Connection): void {
    const nowMs = this.#deps.clock.now()
    if (nowMs - this.#lastFailoverAtMs < FAILOVER_INTERVAL_MS) return
    if (this.#members.get(connection)?.retiredFor) return // everybody has moved already; this one goes at its release
    this.#lastFailoverAtMs = nowMs
    this.#deps.onEvent({ name: 'failover' })
    for (const member of this.#members.all()) {
      if (member.state.name === 'idle') this.#evict(member, 'wrongServer')
      else member.retiredFor = 'wrongServer'
    }
    void this.#control.close() // sessions of the next server are asked about there
  }

  endSession(session: Session): void {
    void this.#control.kill(session)
  }

  /** Lets holders finish until the deadline, stops the rest, says goodbye to every server session. Never rejects. */
  close({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    this.#closing ??= this.#close(deadlineMs)
    return this.#closing
  }

  /** The last used idle connection that needs no ping before a read, acquired; one that needs no proof at all first. */
  #takeIdle(scope: Scope | undefined): Member | undefined {
    const nowMs = this.#deps.clock.now()
    const proven = this.#members.findIdle((candidate) => this.#judge(candidate, nowMs) === 'use')
    const member = proven ?? this.#members.findIdle((candidate) => this.#judge(candidate, nowMs) === 'watch')
    if (!member) return undefined
    member.connection.isProven = proven !== undefined
    this.#members.move(member, { name: 'acquired', sinceMs: nowMs, deadlineAtMs: scope?.deadlineAtMs ?? Infinity })
    return member
  }

  #judge({ connection, generation }: Member, nowMs: number): ReturnType<typeof judgeIdle> {
    const sinceAliveMs = nowMs - connection.lastAliveAtMs
    const idle = {
      sinceAliveMs,
      isSuspicious: generation < this.#generation,
      // Not looked at in one that was heard of lately, which is nearly each.
      canBeAskedAbout: sinceAliveMs >= this.#options.validateAfterIdleMs && canBeAskedAbout(connection.session),
    }
    return judgeIdle(idle, this.#options.validateAfterIdleMs)
  }

  /** The check without a round trip, for a connection taken for `scope`; what fails it, or comes too late, goes back. */
  async #isAliveNow(member: Member, scope: Scope | undefined): Promise<boolean> {
    await this.#deps.turn.pollOnce()
    if (member.connection.isDead) {
      this.#evict(member, 'lost')
      return false
    }
    if (scope?.reason) {
      this.#supply(member)
      throw scope.reason
    }
    return true
  }

  #wait(scope: Scope | undefined): Promise<Connection> {
    // Either may have happened while an idle connection was looked at.
    if (this.#closing) throw new PoolClosedError()
    if (scope?.reason) throw scope.reason
    if (this.#isRefused && this.#members.total === 0) {
      this.#lastRefusalAtMs = this.#deps.clock.now()
      this.#opener.pump()
      throw new ConnectRefusedError({ cause: this.#opener.lastFailure })
    }
    const connection = this.#line.join(scope)
    this.#dispatch()
    return connection
  }

  /** Sets to work what waiting callers need: idle connections to be validated, in parallel, and new ones. */
  #dispatch(): void {
    if (this.#closing) return
    const nowMs = this.#deps.clock.now()
    while (this.#line.length > this.#members.count('validating')) {
      const member = this.#members.findIdle(() => true)
      if (!member) break
      if (this.#judge(member, nowMs) === 'validate') void this.#validate(member)
      else void this.#checkAndSupply(member)
    }
    this.#opener.pump()
  }

  async #checkAndSupply(member: Member): Promise<void> {
    this.#members.move(member, { name: 'validating' })
    await this.#deps.turn.pollOnce()
    this.#validated(member, !member.connection.isDead)
  }

  /** Pings a connection that nobody holds; alive it is of the current generation again. */
  async #validate(member: Member): Promise<boolean> {
    this.#members.move(member, { name: 'validating' })
    const startedAtMs = this.#deps.clock.now()
    const generation = this.#generation
    const cancelDoubt = this.#deps.clock.schedule(this.#deps.link.boundMs(DOUBT_AFTER_MS, startedAtMs), () => {
      this.#late.add(member)
      this.#opener.pump()
    })
    const isAlive = await member.connection.ping(this.#options.validationTimeoutMs)
    cancelDoubt()
    if (isAlive) member.generation = generation
    this.#deps.onEvent({ name: 'pinged', durationMs: this.#deps.clock.now() - startedAtMs, isAlive })
    this.#validated(member, isAlive)
    return isAlive
  }

  #validated(member: Member, isAlive: boolean): void {
    if (member.state.name === 'evicted') return
    if (!isAlive) this.#evict(member, member.connection.isSilent ? 'validationFailed' : 'lost')
    else if (member.retiredFor) this.#evict(member, member.retiredFor)
    else this.#keep(member)
  }

  /** It is alive, and owes nothing: it stays, unless another was opened in its place meanwhile. */
  #keep(member: Member): void {
    this.#late.delete(member)
    if (this.#members.total > this.#options.size && !this.#isReplacing) this.#evict(member, 'surplus')
    else this.#supply(member)
  }

  /** Acquires a connection in place of one that says nothing, unless its answer ends the wait. */
  async #replace(waiting: Scope, onReplaced: (next: Connection) => void): Promise<void> {
    let next: Connection
    try {
      next = await this.#wait(waiting)
    } catch {
      return // there is no other: the caller goes on waiting for this one
    } finally {
      waiting.end()
    }
    if (waiting.reason) this.release(next, { isTransactionOpen: false, isDirty: false })
    else onReplaced(next)
  }

  /** Hands a connection that is alive to whoever waits longest, or keeps it. */
  #supply(member: Member): void {
    if (this.#closing) {
      this.#evict(member, 'closed')
      return
    }
    const nowMs = this.#deps.clock.now()
    const waiter = this.#line.next(nowMs)
    if (!waiter) this.#members.move(member, { name: 'idle' })
    else {
      member.connection.isProven = this.#judge(member, nowMs) === 'use'
      this.#members.move(member, { name: 'acquired', sinceMs: nowMs, deadlineAtMs: waiter.holdUntilMs })
      this.#observer.waited(nowMs - waiter.sinceMs)
      waiter.resolve(member.connection)
    }
  }

  #settle(member: Member, note: ReleaseNote): void {
    const { connection } = member
    const verdict = judgeRelease({
      isDead: connection.isDead,
      isBusy: connection.isBusy,
      retiredFor: this.#closing ? 'closed' : member.retiredFor,
      ...note,
    })
    switch (verdict.action) {
      case 'evict':
        this.#evict(member, verdict.reason)
        break
      case 'reset':
        void this.#reset(member)
        break
      case 'stop':
        void this.#stop(member, note)
        break
      case 'keep':
        // A holder may have kept it for long after its last answer.
        if (this.#line.length === 0 || connection.isFresh) this.#supply(member)
        else if (this.#judge(member, this.#deps.clock.now()) === 'validate') void this.#validate(member)
        else void this.#checkAndSupply(member)
    }
  }

  async #reset(member: Member): Promise<void> {
    this.#members.move(member, { name: 'settling' })
    const isClean = await member.connection.reset(this.#options.resetTimeoutMs)
    if (member.state.name === 'evicted') return
    if (isClean && !this.#closing && !member.retiredFor) this.#supply(member)
    else this.#evict(member, isClean ? (member.retiredFor ?? 'closed') : 'resetFailed')
  }

  /** Ends the statement of a caller who has left: by itself, else by KILL; the slot is free when the server's is. */
  async #stop(member: Member, note: ReleaseNote): Promise<void> {
    this.#members.move(member, { name: 'settling' })
    const isQuiet = await member.connection.waitUntilQuiet(this.#graceMs(member))
    const isLost = !isQuiet && this.#late.has(member)
    const isToEnd = !isQuiet && !isLost && !member.connection.isDead
    const isEnded = !isToEnd || (await this.#control.kill(member.connection.session))
    if (member.state.name === 'evicted') return
    const mayStay = isQuiet && !note.isTransactionOpen && !note.isDirty && !member.retiredFor && !this.#closing
    // Its server may know nothing of the end of a flow that was found to be forgotten meanwhile.
    const stopped = member.retiredFor === 'forgotten' ? 'forgotten' : isEnded ? 'stopped' : 'notStopped'
    if (mayStay) this.#keep(member)
    else this.#evict(member, isQuiet ? 'transactionOpen' : isLost ? 'validationFailed' : stopped)
  }

  #graceMs(member: Member): number {
    const { link, clock } = this.#deps
    const nowMs = clock.now()
    if (!this.#late.has(member)) return link.boundMs(ABANDONED_GRACE_MS, nowMs)
    // Its caller was given another: it has as long as an answer to a ping would have.
    const sentAtMs = nowMs - member.connection.runningMs(nowMs)
    return link.patienceMs(this.#options.validationTimeoutMs, sentAtMs, nowMs)
  }

  /** What the opener shall work on: waiting callers first, then the idle minimum, then a replacement. */
  #demand() {
    if (this.#closing) return { count: 0, room: 0, urgency: 'low' as const }
    const total = this.#members.total
    const { size, minIdle } = this.#options
    const slowPings = [...this.#late].filter(({ state }) => state.name === 'validating').length
    const waiting = this.#line.length - (this.#members.count('validating') - slowPings)
    const nowMs = this.#deps.clock.now()
    const isWanted = waiting > 0 || nowMs - this.#lastRefusalAtMs < 1000
    const missing = Math.max(waiting, total === 0 && isWanted ? 1 : 0, Math.max(minIdle, this.#keptOpen) - total)
    const spare = this.#late.size > 0 && !this.#isReplacing ? 1 : 0
    const replacing = this.#isReplacing ? 1 : 0
    const serving = total - this.#members.count('validating')
    return {
      count: Math.max(0, Math.min(size - total + spare, missing)) + replacing,
      // Two even of a pool of one: an attempt may never be answered.
      room: Math.max(size, 2) - total + spare + replacing,
      urgency: judgeUrgency({ isWanted, serving, waitedMs: this.#line.waitedMs(nowMs) }),
    }
  }

  #join(connection: Connection): void {
    this.#isRefused = false
    // One too many: a successor whose predecessor died meanwhile, and was made up for.
    const most = this.#options.size + (this.#isReplacing || this.#late.size > 0 ? 1 : 0)
    const isSurplus = this.#members.total >= most
    if (this.#closing || isSurplus) {
      connection.quit()
      return
    }
    const { clock, random } = this.#deps
    const lifetimeMs = jittered(this.#options.maxLifetimeMs, LIFETIME_JITTER, random)
    const member: Member = {
      connection,
      retireAtMs: clock.now() + lifetimeMs,
      generation: this.#generation,
      state: { name: 'validating' },
      retiredFor: undefined,
    }
    this.#members.add(member)
    if (this.#isReplacing) this.#retireOldest()
    this.#control.prepare()
    this.#supply(member)
  }

  #connectFailed(): void {
    if (!this.#opener.isRefused || this.#members.total > 0) return
    this.#isRefused = true
    this.#lastRefusalAtMs = this.#deps.clock.now()
    const cause = this.#opener.lastFailure
    this.#line.rejectAll(() => new ConnectRefusedError({ cause }))
  }

  /** Opens the successor of a connection that is past its lifetime; the old one serves until then. */
  #replaceOne(): void {
    if (this.#isReplacing) return
    if (this.#members.total > this.#options.size) {
      this.#retireOldest() // one that was opened beside a late one is a successor as well
      return
    }
    this.#isReplacing = true
    this.#opener.pump()
  }

  #retireOldest(): void {
    this.#isReplacing = false
    const oldest = this.#members.all().reduce((a, b) => (a.retireAtMs <= b.retireAtMs ? a : b))
    if (this.#deps.clock.now() < oldest.retireAtMs) return // the one that was to go has died meanwhile
    if (oldest.state.name === 'idle') this.#evict(oldest, 'maxLifetime')
    else oldest.retiredFor ??= 'maxLifetime'
  }

  /** One loss makes those that are as old suspicious: they are asked once, in parallel, before anyone needs them. */
  #suspect(lost: Member): void {
    if (lost.generation < this.#generation) return
    this.#generation += 1
    for (const other of this.#members.idle()) if (other !== lost) void this.#validate(other)
  }

  #died(connection: Connection): void {
    const member = this.#members.get(connection)
    if (!member) return
    this.#suspect(member)
    // Whoever holds it learns from its own statement, and gives it back.
    if (member.state.name === 'idle') this.#evict(member, 'lost')
  }

  #evict(member: Member, reason: EvictReason): void {
    const { connection } = member
    this.#members.move(member, { name: 'evicted', reason })
    this.#late.delete(member)
    this.#deps.onEvent({ name: 'evicted', reason, idleMs: this.#deps.clock.now() - connection.lastUsedAtMs })
    if (connection.isDead || connection.isBusy) connection.destroy(new Error(`evicted: ${reason}`))
    else connection.quit()
    // The server may not know that this flow is dead, and would keep the session for hours.
    if (reason === 'validationFailed' || reason === 'forgotten') void this.#control.kill(connection.session)
    if (this.#members.total === 0) this.#onEmpty?.()
    this.#dispatch()
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#stopUpkeep()
    this.#line.rejectAll(() => new PoolClosedError())
    for (const member of this.#members.idle()) this.#evict(member, 'closed')
    await this.#untilEmpty(deadlineMs)
    this.#opener.close() // not sooner: the control connection may still be on its way, and ends what is left
    await Promise.all(this.#members.all().map(({ connection }) => this.#cutOff(connection)))
    await this.#control.close()
  }

  /** Stops what a holder runs past the pool's end; the holder is told by its own statement. */
  async #cutOff(connection: Connection): Promise<void> {
    if (connection.isBusy) await this.#control.kill(connection.session)
    connection.destroy(new PoolClosedError())
  }

  #untilEmpty(deadlineMs: number): Promise<void> {
    if (this.#members.total === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = this.#deps.clock.schedule(deadlineMs, resolve)
      this.#onEmpty = () => {
        cancel()
        resolve()
      }
    })
  }
}
