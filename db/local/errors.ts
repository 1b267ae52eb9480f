/** No throw-away database can be had on this machine. The message lists what was tried and what a person can do. */
export class NoLocalDatabaseError extends Error {
  override readonly name = 'NoLocalDatabaseError'
  /** One line for each way that was tried, in order, with why it failed. */
  readonly tried: readonly string[]
  constructor(tried: readonly string[]) {
    super(
      [
        'no database is configured, and none could be started on this machine:',
        ...tried.map((line) => `  - ${line}`),
        'Choose one:',
        '  - point DATABASE_URL (mysql://user:password@host:3306/sakila) at a MySQL or MariaDB server',
        '  - install one, for example: sudo apt-get install mariadb-server-core',
        '  - with Docker: docker run -d -p 127.0.0.1:3306:3306 -e MYSQL_ROOT_PASSWORD=secret -e MYSQL_DATABASE=sakila mysql:9.7',
        '    and then set DATABASE_URL=mysql://root:secret@127.0.0.1:3306/sakila',
      ].join('\n'),
    )
    this.tried = tried
  }
}

/** A server that was found could not be initialised or did not become ready. The message ends with its last log lines. */
export class DatabaseStartError extends Error {
  override readonly name = 'DatabaseStartError'
  /** The last lines that the server wrote. */
  readonly log: string
  constructor(what: string, log: string, options?: ErrorOptions) {
    const indented = log.trim().replaceAll(/^/gm, '    ')
    super(`${what}; its last words:\n${indented === '' ? '    (none)' : indented}`, options)
    this.log = log
  }
}
