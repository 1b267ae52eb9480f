// The watchdog's thread; see watchdog.ts.
import { writeSync } from 'node:fs'
import { Session } from 'node:inspector'
import { workerData } from 'node:worker_threads'

const { beats, turnMs, logAfterMs, exitAfterMs, logLevel } = workerData
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
/** A main thread that is in native code, and not in JavaScript, cannot be paused. */
const STACK_TIMEOUT_MS = 1000

let lastBeat = -1
let silentTurns = 0
let isTold = false

setInterval(() => {
  const beat = Atomics.load(beats, 0)
  if (beat !== lastBeat) {
    if (isTold) write('warn', 'the event loop runs again', { stuckMs: silentTurns * turnMs })
    lastBeat = beat
    silentTurns = 0
    isTold = false
    return
  }
  silentTurns += 1
  const stuckMs = silentTurns * turnMs
  if (logAfterMs > 0 && stuckMs >= logAfterMs && !isTold) {
    isTold = true
    readStack((stack) => write('error', 'the event loop is stuck', { stuckMs, stack }))
  }
  if (exitAfterMs > 0 && stuckMs >= exitAfterMs) {
    write('fatal', 'the event loop is stuck: ending the process', { stuckMs })
    process.kill(process.pid, 'SIGABRT') // what systemd's watchdog sends; process.exit() would end this thread only
  }
}, turnMs)

/** Stops the main thread for a moment, wherever it is, and reads where that is. */
function readStack(report) {
  const session = new Session()
  const finish = (stack) => {
    clearTimeout(timer)
    report(stack)
    session.disconnect() // lets the main thread go on
  }
  const timer = setTimeout(finish, STACK_TIMEOUT_MS, ['not in JavaScript'])
  const urls = new Map() // a frame has no URL of its own
  session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url))
  session.once('Debugger.paused', ({ params }) => finish(params.callFrames.map((frame) => describeFrame(frame, urls))))
  session.connectToMainThread()
  session.post('Debugger.enable')
  session.post('Debugger.pause')
}

function describeFrame({ functionName, location }, urls) {
  return `${functionName || '<anonymous>'} (${urls.get(location.scriptId)}:${location.lineNumber + 1}:${location.columnNumber + 1})`
}

/** A line like the log's. Not through process.stdout, which is the main thread's to write. */
function write(level, msg, fields) {
  if (LEVELS.indexOf(level) < LEVELS.indexOf(logLevel)) return
  try {
    writeSync(1, `${JSON.stringify({ level, time: new Date().toISOString(), ...fields, msg })}\n`)
  } catch {
    // Nobody reads the log; the process has to end all the same.
  }
}
