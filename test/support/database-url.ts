/** What a `mysql://user:password@host:port/database` names, as mysql2 takes it. */
export function parseDatabaseUrl(databaseUrl: string) {
  const { hostname, port, username, password, pathname } = new URL(databaseUrl)
  return {
    host: hostname,
    port: Number(port),
    user: username,
    password: decodeURIComponent(password),
    database: pathname.slice(1),
  }
}
