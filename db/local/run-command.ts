import { spawn } from 'node:child_process'
import type { Environment } from './find-program.ts'

export interface RunOptions {
  /** Written to the command's standard input. Default: none. */
  readonly input?: string
  /** Default: this process's own. */
  readonly environment?: Environment
  /** The command is killed when this aborts. */
  readonly signal?: AbortSignal
}

export interface RunResult {
  /** Null when a signal ended it. */
  readonly exitCode: number | null
  readonly stdout: string
  /** Standard output and standard error as they came. */
  readonly output: string
}

/**
 * Runs a command to its end and collects what it prints.
 * @throws the abort reason, or the error of `spawn` when the program cannot be started
 */
export function runCommand(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program = '', ...programArguments] = command
  const { promise, resolve, reject } = Promise.withResolvers<RunResult>()
  const child = spawn(program, programArguments, {
    stdio: 'pipe',
    killSignal: 'SIGKILL',
    ...(options.environment && { env: { ...options.environment } }),
    ...(options.signal && { signal: options.signal }),
  })
  const stdout: string[] = []
  const output: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout.push(text)
    output.push(text)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => output.push(text))
  child.on('error', (error) => reject(options.signal?.aborted ? options.signal.reason : error))
  child.on('close', (exitCode) => resolve({ exitCode, stdout: stdout.join(''), output: output.join('') }))
  // A command that ends without reading its input breaks the pipe; its exit code tells the story.
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? '')
  return promise
}

/** The last lines of a longer output. */
export function lastLines(text: string, count = 15): string {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}
