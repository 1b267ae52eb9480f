/**
 * The order of a round: each goes first as often as the others, and comes right after each of the others as often, so
 * that what one leaves behind (caches, garbage) meets all of them.
 */
export function takeTurns<T>(values: readonly T[], round: number): readonly T[] {
  const count = Math.max(1, values.length)
  const turned = [...values.slice(round % count), ...values.slice(0, round % count)]
  return round % (2 * count) < count ? turned : turned.toReversed()
}
