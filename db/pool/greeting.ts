import type { Socket } from 'node:net'

/** The version of the protocol that greetings begin with, and the mark of an error that comes instead of one. */
const FIRST_OF_PAYLOAD: readonly (number | undefined)[] = [10, 0xff]
const HEADER_BYTES = 4
/** Greetings have about 100 bytes, and errors 512 at most. */
const MAX_GREETING_BYTES = 4096

/**
 * Ends a socket whose server begins with another protocol (of SSH, of a mail server, MySQL's own X protocol on 33060): the
 * driver would wait for the rest of a packet of millions of bytes, or read a greeting into what is none. Also one that says
 * more than a greeting unasked: before TLS begins somebody else can put that there, and the driver would read it as what
 * came through TLS.
 */
export function expectGreeting(socket: Socket): void {
  let received: Buffer = Buffer.alloc(0)
  const onData = (bytes: Buffer) => {
    received = Buffer.concat([received, bytes])
    const verdict = judgeGreeting(received)
    if (verdict === 'incomplete') return
    socket.removeListener('data', onData)
    if (verdict === 'whole') return
    const shown = JSON.stringify(received.subarray(0, 16).toString('latin1'))
    const message = `what answers there does not speak MySQL's protocol: it begins with ${shown}`
    // Here and now, before the driver reads the same bytes and has an error of its own.
    socket.emit('error', Object.assign(new Error(message), { code: 'NOT_MYSQL' }))
    socket.destroy()
  }
  socket.on('data', onData)
}

function judgeGreeting(received: Buffer): 'incomplete' | 'whole' | 'foreign' {
  if (received.length <= HEADER_BYTES) return 'incomplete'
  const length = HEADER_BYTES + received.readUIntLE(0, 3)
  if (!FIRST_OF_PAYLOAD.includes(received[HEADER_BYTES]) || length > MAX_GREETING_BYTES) return 'foreign'
  if (received.length < length) return 'incomplete'
  return received.length === length ? 'whole' : 'foreign'
}
