import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parseCpuMs, parseMemory, readCpuMs } from '../../bench/process-figures.ts'

test('CPU time is utime and stime, also of a program whose name has spaces and brackets', () => {
  const stat = '4242 (node (main) 7) S 1 4242 4242 0 -1 4194560 900 0 0 0 123 45 6 7 20 0 11 0 1000 1 2'
  assert.equal(parseCpuMs(stat), 1680)
})

test('the CPU time of this process grows with its work', async () => {
  const before = await readCpuMs(process.pid)
  const { user } = process.cpuUsage()
  while (process.cpuUsage().user - user < 50_000);
  const after = await readCpuMs(process.pid)
  assert.ok(after - before >= 40, `${after - before} ms`)
})

test("memory is read from the text of the service's /metrics, which must tell it", () => {
  const metrics = [
    '# TYPE process_resident_memory_bytes gauge',
    'process_resident_memory_bytes 104857600',
    'nodejs_heap_size_total_bytes 31457280',
    'nodejs_heap_size_used_bytes 26214400',
    'nodejs_heap_space_size_used_bytes{space="old"} 1048576',
  ]
  assert.deepEqual(parseMemory(metrics.join('\n')), { residentMb: 100, heapMb: 25 })
  assert.throws(() => parseMemory(metrics.slice(0, 3).join('\n')), /nodejs_heap_size_used_bytes/)
})
