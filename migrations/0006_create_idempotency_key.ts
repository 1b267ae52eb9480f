import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table if not exists idempotency_key (
      key_hash char(64) character set ascii collate ascii_bin not null,
      request_hash char(64) character set ascii collate ascii_bin not null,
      answer text not null,
      created_at timestamp not null default current_timestamp,
      primary key (key_hash),
      key idx_created_at (created_at)
    ) engine = InnoDB default charset = utf8mb4
  `.execute(db)
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`drop table if exists idempotency_key`.execute(db)
}
