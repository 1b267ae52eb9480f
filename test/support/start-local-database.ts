// A stand-in for the service: starts a throw-away database in the folder that it is given, and then lives until it is killed.
import { startLocalDatabase } from '../../db/local/local-database.ts'

const [folder = ''] = process.argv.slice(2)
const database = await startLocalDatabase({ folder, environment: process.env, say: () => {} })
process.stdout.write(`${database.pid}\n`)
setInterval(() => {}, 60_000)
