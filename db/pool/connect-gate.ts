import { connectPauseMs, type Random, refusalPauseMs } from './backoff.ts'

/** Most attempts that may fail in any second, whatever the demand: a struggling server is not helped by more. */
const MAX_FAILING_PER_SECOND = 10
/** The rest is kept for who could not be served otherwise: a loss of everything may follow the last one by less than that. */
const MAX_UNHURRIED_PER_SECOND = 7
/** A little over a second: what starts evenly here may arrive unevenly there. */
const WINDOW_MS = 1020
/** Most attempts under way at once, the silent ones apart: more only slow each other down. */
const MAX_UNDER_WAY = 8
/** A burst is over when nothing was under way for so long; the next one begins with one attempt. */
const BURST_PAUSE_MS = 100
/** Or, where the last success is no older than a second, with as many as no account is locked for. */
const FIRST_AFTER_SUCCESS = 3
const SUCCESS_AGE_MS = 1000
/** When the first of a burst has not ended by then a second one starts: one that hangs must not hold up the others. */
const SECOND_AFTER_MS = 100
/** While the server is silent another attempt starts this often, since each may be the first over a mended path. */
const BESIDE_MS = 1000
/** For so long; ten seconds, and what it takes to see that they are over. */
const OFTEN_FOR_MS = 12_000
const SELDOM_MS = 5000

/** How much depends on another connection: nobody waits; who waits is served soon; who waits is not served without it. */
export type Urgency = 'low' | 'normal' | 'high'

/** One attempt, as the gate sees it. */
export interface Ticket {
  readonly startedAtMs: number
  /** Whether what it opened has served somebody: then it costs nothing. */
  hasServed: () => boolean
  isSilent: boolean
}

/**
 * Decides when an attempt to connect may start. While the last one failed, one at a time with a jittered pause; after a
 * success twice as many with each, eight at most. Only what fails, or may still, counts against the limit of a second. No clock
 * of its own: it is told the time.
 */
export class ConnectGate {
  readonly #random: Random
  /** Of the last second, those that failed or have not served yet. */
  #costly: Ticket[] = []
  #underWay = 0
  #silent = 0
  /** Since when no attempt has heard anything; undefined when one has. */
  #silentSinceMs: number | undefined
  #allowance = 1
  #failures = 0
  #refusals = 0
  #refusedAtMs = Number.NEGATIVE_INFINITY
  #openedAtMs = Number.NEGATIVE_INFINITY
  #lastStartAtMs = Number.NEGATIVE_INFINITY
  #jitter = 0

  constructor(random: Random) {
    this.#random = random
  }

  /** Whether the credentials were refused, and have not been accepted since. */
  get isRefused(): boolean {
    return this.#refusals > 0
  }

  /** How long until an attempt may start, in ms: 0 is now; undefined, not before one that is under way has ended. */
  delayMs(nowMs: number, urgency: Urgency): number | undefined {
    const active = this.#underWay - this.#silent
    const isAlone = active === 1 && this.#failures === 0 && this.#silentSinceMs === undefined
    if (active >= this.#allowance && !isAlone) return undefined
    const burstPauseMs = active >= this.#allowance ? SECOND_AFTER_MS : 0
    // From its start: an attempt that failed by taking too long was pause enough.
    const pauseMs = this.#lastStartAtMs + Math.max(burstPauseMs, this.#pauseMs(nowMs, urgency)) - nowMs
    return Math.max(0, pauseMs, this.#refusalDelayMs(nowMs), this.#windowDelayMs(nowMs, urgency))
  }

  started(nowMs: number): Ticket {
    const isNewBurst = this.#underWay === 0 && nowMs - this.#lastStartAtMs >= BURST_PAUSE_MS
    if (isNewBurst) this.#allowance = Math.min(this.#allowance, this.#firstOfBurst(nowMs))
    this.#underWay += 1
    this.#lastStartAtMs = nowMs
    const ticket: Ticket = { startedAtMs: nowMs, hasServed: () => false, isSilent: false }
    this.#costly.push(ticket)
    return ticket
  }

  /** It has heard nothing for a second: others may start beside it. */
  fellSilent(ticket: Ticket): void {
    ticket.isSilent = true
    this.#silent += 1
    this.#silentSinceMs ??= ticket.startedAtMs
    this.#allowance = 1
  }

  heard(ticket: Ticket): void {
    this.#countIn(ticket)
    this.#silentSinceMs = undefined
  }

  opened(ticket: Ticket, nowMs: number, hasServed: () => boolean): void {
    ticket.hasServed = hasServed
    this.#openedAtMs = nowMs
    this.abandoned(ticket)
    this.#silentSinceMs = undefined
    this.#failures = 0
    this.#refusals = 0
    this.#allowance = Math.min(MAX_UNDER_WAY, this.#allowance * 2)
  }

  /** `areCredentialsRefused`: the server has judged them, and may lock the account when it must do so often. */
  failed(ticket: Ticket, nowMs: number, areCredentialsRefused: boolean): void {
    // One that was silent says nothing about what has started since.
    if (!ticket.isSilent) this.#silentSinceMs = undefined
    this.abandoned(ticket)
    this.#failures += 1
    this.#allowance = 1
    this.#jitter = this.#random()
    if (!areCredentialsRefused) return
    this.#refusals += 1
    this.#refusedAtMs = nowMs
  }

  /** It ended without saying anything about the next one. */
  abandoned(ticket: Ticket): void {
    this.#countIn(ticket)
    this.#underWay -= 1
  }

  /** The credentials are others than those that were refused. */
  forgiveRefusals(): void {
    this.#refusals = 0
    this.#failures = 0
  }

  #firstOfBurst(nowMs: number): number {
    return nowMs - this.#openedAtMs <= SUCCESS_AGE_MS ? FIRST_AFTER_SUCCESS : 1
  }

  #countIn(ticket: Ticket): void {
    if (ticket.isSilent) this.#silent -= 1
    ticket.isSilent = false
  }

  /** From one start to the next. */
  #pauseMs(nowMs: number, urgency: Urgency): number {
    if (this.#silentSinceMs !== undefined) {
      return nowMs - this.#silentSinceMs < OFTEN_FOR_MS ? BESIDE_MS : SELDOM_MS
    }
    return this.#failures === 0 ? 0 : connectPauseMs(this.#failures, urgency !== 'low', () => this.#jitter)
  }

  #refusalDelayMs(nowMs: number): number {
    return this.#refusals === 0 ? 0 : this.#refusedAtMs + refusalPauseMs(this.#refusals) - nowMs
  }

  #windowDelayMs(nowMs: number, urgency: Urgency): number {
    this.#costly = this.#costly.filter((ticket) => ticket.startedAtMs + WINDOW_MS > nowMs && !ticket.hasServed())
    const most = urgency === 'high' ? MAX_FAILING_PER_SECOND : MAX_UNHURRIED_PER_SECOND
    const ticket = this.#costly.at(-most)
    return ticket === undefined ? 0 : ticket.startedAtMs + WINDOW_MS - nowMs
  }
}
