// What we use of autocannon 9, which comes without types.
declare module 'autocannon' {
  export interface Request {
    readonly method: string
    readonly path: string
    readonly headers: Readonly<Record<string, string>>
    readonly body?: string
  }
  export interface Client {
    setRequests(requests: readonly Request[]): void
  }
  export interface Options {
    readonly url: string
    readonly connections: number
    /** In seconds. */
    readonly duration: number
    readonly requests: readonly Request[]
    readonly setupClient: (client: Client) => void
  }
  export interface Result {
    /** Lost connections and timeouts. */
    readonly errors: number
    readonly non2xx: number
    /** In seconds. */
    readonly duration: number
  }
  export interface Run extends Promise<Result> {
    on(event: 'response', listener: (client: Client, status: number, bytes: number, ms: number) => void): this
  }
  export default function autocannon(options: Options): Run
}
