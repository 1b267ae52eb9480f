import { type Kysely, sql } from 'kysely'
import { dropEmpty } from './data/drop-empty.ts'

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table if not exists country (
      country_id smallint unsigned not null auto_increment,
      country varchar(50) not null,
      last_update timestamp not null default current_timestamp on update current_timestamp,
      primary key (country_id)
    ) engine = InnoDB default charset = utf8mb4
  `.execute(db)
}

export async function down(db: Kysely<never>): Promise<void> {
  await dropEmpty(db, 'country')
}
