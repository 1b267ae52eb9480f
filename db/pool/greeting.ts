import type { Socket } from 'node:net'

/** The version of the protocol that greetings begin with, and the mark of an error that comes instead of one. */
const FIRST_OF_PAYLOAD: readonly (number | undefined)[] = [10, 0xff]
const HEADER_BYTES = 4

/**
 * Ends a socket whose server begins with another protocol (of SSH, of a mail server, MySQL's own X protocol on 33060): the
 * driver would wait for the rest of a packet of millions of bytes, or read a greeting into what is none.
 */
export function expectGreeting(socket: Socket): void {
  socket.once('data', (bytes) => {
    if (bytes.length <= HEADER_BYTES || FIRST_OF_PAYLOAD.includes(bytes[HEADER_BYTES])) return
    const shown = JSON.stringify(bytes.subarray(0, 16).toString('latin1'))
    const message = `what answers there does not speak MySQL's protocol: it begins with ${shown}`
    // Here and now, before the driver reads the same bytes and has an error of its own.
    socket.emit('error', Object.assign(new Error(message), { code: 'NOT_MYSQL' }))
    socket.destroy()
  })
}
