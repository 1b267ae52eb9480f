/** Kinds of inputs from other people's servers, programs and networks: what was tried of each, and where the tests are. */
export const kinds: readonly (readonly [kind: string, tried: string, tests: string])[] = [
  [
    "a server's defaults change a statement's meaning",
    'each variable of `docs/session-variables.md`, by SET GLOBAL and by `init_connect`, one by one and all together, fresh and after a reset; a variable that an ordinary user may set and that no list names is red',
    '`integration/session-defaults`, `npm run test:turned`',
  ],
  [
    'the protocol changes a result',
    '36 types of columns (whole numbers to bigint unsigned, zerofill, bit, decimals, float, double, texts in utf8mb4, _bin and latin1, bytes, enum, set, dates and times with fractions, year, json, uuid, inet6, vector), 33 shapes of statements, 75 values (integers to 2^64 - 1, negatives, -0, fractions, NaN, dates, buffers, booleans, null, objects, texts that look like numbers or dates), three runs each, alone and in a transaction, against stock',
    '`integration/statement-results`, `integration/prepared-statements`',
  ],
  [
    'precision that is lost silently',
    'ids, parameters, `insertId` and JSON beyond 2^53, with and without `areIntegersExact`',
    '`integration/statement-results`',
  ],
  [
    'a transaction that its server has ended is taken for open',
    '1205 of rows, of metadata locks and as the answer to COMMIT, with `innodb_rollback_on_timeout` on and off; 1317; 13 statements that commit implicitly; procedures that commit, and begin, or fail; 75 numbers by SIGNAL in a trigger',
    '`integration/transaction-ends`, `integration/replayed-transactions`',
  ],
  [
    'one key sent to two nodes of a Galera cluster',
    '96 keys in each run of the tests, 1,024 by `GALERA_KEYS`; text and prepared',
    '`integration/galera`',
  ],
  [
    'what looks like a read and is none',
    'locks, user variables, stored functions and raw fragments inside SELECT, INSERT and UPDATE; every kind of Kysely node; functions of both servers by name; procedures that commit and then fail; functions, procedures, views and triggers with the rights of their definer, which hide the session from its own user',
    '`integration/reads`, `integration/definers-rights`, `db/statement-kind`',
  ],
  [
    'a statement that repeats its own cause',
    'limits of 1 and 4 MiB with statements of 1.1 to 64 MiB, to the byte; KILL QUERY; a stored function killed while it runs',
    '`integration/large-statements`, `integration/reads`',
  ],
  [
    'a stream that is left',
    'by break, throw, return and read-on, with 20 to 100,000 rows and more; aborted while the reader waits or works; KILL, KILL QUERY and a deadlock in it; several at once; statements beside it',
    '`integration/streams`',
  ],
  [
    'things added and not removed, callers that throw',
    '5,000 statements with one signal, four ways; reasons null, 0 and empty; `onEvent`, observer, `random` and `password()` that throw, reject, hang or answer nonsense; scripts without a server',
    '`integration/nothing-stays`, `db/lone-script`',
  ],
  [
    'migrations behind a metadata lock',
    'a report that holds the table under an index, a change of collation and `down`; readers meanwhile; for longer than the limit',
    '`integration/migration-locks`',
  ],
  [
    'links and handshakes that are slow, mute or cut',
    'answers 20, 300 and 600 ms late, also all of a sudden, with pools of 16, 4, 2 and 1; greetings 1.5 s late; mute before the greeting and after 50, 120 and 200 bytes; cut after 1 to 20,000 bytes; KILL of everything twice a second',
    '`faults/connecting`, `faults/lost-again`, `faults/service-slow-link`, `faults/scenario-05-pauses`',
  ],
  [
    'flows that the network has forgotten',
    'idle for 0.2, 0.6, 3 and 5.5 s and in flight; reads, writes and transactions; pools of 1, 4 and 16; the control connection among them',
    '`faults/service-forgotten-connections`, `faults/scenario-05-pauses`',
  ],
  [
    'logins that are refused',
    'both servers: 1044, 1045 (REQUIRE SSL too), 1049, 1226, 1698; MySQL: 1862, 3118, 3159, 3955; MariaDB: 1820, 4150, 4151; passwords wrong, rotated, changed at the server, hanging; an account that locks itself; ports that speak SSH, SMTP, HTTP, Redis or the X protocol',
    '`faults/logins`, `faults/credentials`, `db/pool/tls-guard`',
  ],
  [
    'certificates',
    'address right and wrong, address as a DNS name or CN, names only, CN beside names, wildcards, IPv6 in three spellings, expired, self-signed, of another authority, client certificates; replaced while serving, cut off, empty, unreadable; resumed sessions; packets put behind the greeting',
    '`faults/tls`, `db/pool/tls-guard`, `db/pool/tls-texts`',
  ],
  [
    'a URL with a mistake',
    '34 mistakes, each with its own sentence; 2,000 random passwords, of which no part is ever shown',
    '`src/config`',
  ],
  [
    'an errno that reaches a route',
    'every number of the table and SQLSTATE classes 22, 23, 45, 40, 08, 42 and HY, by a trigger and a view that signal; foreign keys, checks, triggers, keys and rights of a user; columns in latin1, ascii, utf8mb3 and sjis with texts that they cannot hold, alone and batched',
    '`integration/http-server-errors`',
  ],
  [
    'a schema that changes under the service',
    'tables, columns, rights or the last migration gone; collations of a user; rows that were there before the migrations',
    '`integration/http-schema`, `integration/migrations-own-data`',
  ],
]
