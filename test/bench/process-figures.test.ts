import assert from 'node:assert/strict'
import { closeSync, openSync, readSync } from 'node:fs'
import { test } from 'vitest'
import { parseCpuMs, parseIoCalls, parseMemory, readCpuMs, readIoCalls } from '../../bench/process-figures.ts'

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

test('calls are read and write system calls, not bytes', () => {
  const io =
    'rchar: 1001\nwchar: 2002\nsyscr: 17\nsyscw: 25\nread_bytes: 4096\nwrite_bytes: 0\ncancelled_write_bytes: 0\n'
  assert.equal(parseIoCalls(io), 42)
  assert.throws(() => parseIoCalls('rchar: 1001\nwchar: 2002\n'), /syscr|does not tell/)
})

test('each read of this process is one call more', async () => {
  const [file, calls] = [openSync('/dev/zero', 'r'), 1000]
  const idle = -(await readIoCalls(process.pid)) + (await readIoCalls(process.pid))
  const before = await readIoCalls(process.pid)
  for (let call = 0; call < calls; call += 1) readSync(file, Buffer.alloc(1))
  const made = (await readIoCalls(process.pid)) - before
  closeSync(file)
  // Reading the counters costs a few of them.
  assert.ok(made >= calls && made <= calls + 2 * idle + 50, `${made} calls, ${idle} by the look itself`)
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
