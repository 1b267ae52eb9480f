/** First in, first out, with removal from the middle in O(1): a doubly linked list. */
export class WaitQueue<T> {
  #first: Ticket<T> | undefined
  #last: Ticket<T> | undefined
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Whoever waits longest. */
  get first(): T | undefined {
    return this.#first?.value
  }

  /** Appends `value`; the ticket takes it out again. */
  push(value: T): Ticket<T> {
    const ticket: Ticket<T> = { value, previous: this.#last, next: undefined, isQueued: true }
    if (this.#last) this.#last.next = ticket
    else this.#first = ticket
    this.#last = ticket
    this.#length += 1
    return ticket
  }

  shift(): T | undefined {
    const ticket = this.#first
    if (!ticket) return undefined
    this.remove(ticket)
    return ticket.value
  }

  /** Takes this ticket's value out; does nothing when it is out already. */
  remove(ticket: Ticket<T>): void {
    if (!ticket.isQueued) return
    ticket.isQueued = false
    if (ticket.previous) ticket.previous.next = ticket.next
    else this.#first = ticket.next
    if (ticket.next) ticket.next.previous = ticket.previous
    else this.#last = ticket.previous
    this.#length -= 1
  }
}

export interface Ticket<T> {
  readonly value: T
  previous: Ticket<T> | undefined
  next: Ticket<T> | undefined
  isQueued: boolean
}
