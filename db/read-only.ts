/** Whether `@@global.read_only` says that writes are refused: a number, or on later versions of MariaDB one of several words. */
export function isReadOnlyValue(value: unknown): boolean {
  return value !== undefined && !['0', 'OFF'].includes(String(value))
}
