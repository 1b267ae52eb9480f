/** Numbers that look random, the same ones for the same seed. */
export interface SeededRandom {
  /** From 0 up to, but not including, 1. */
  next(): number
  /** From `minimum` to `maximum`, both included. */
  integer(minimum: number, maximum: number): number
}

/** Mulberry32, by Tommy Ettinger: small, and good enough to choose faults. */
export function createRandom(seed: number): SeededRandom {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { next, integer: (minimum, maximum) => minimum + Math.floor(next() * (maximum - minimum + 1)) }
}
