import { type Kysely, sql } from 'kysely'
import { dropEmpty } from './data/drop-empty.ts'

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table if not exists city (
      city_id smallint unsigned not null auto_increment,
      city varchar(50) not null,
      country_id smallint unsigned not null,
      last_update timestamp not null default current_timestamp on update current_timestamp,
      primary key (city_id),
      key idx_fk_country_id (country_id),
      constraint fk_city_country foreign key (country_id) references country (country_id)
        on delete restrict on update cascade
    ) engine = InnoDB default charset = utf8mb4
  `.execute(db)
}

export async function down(db: Kysely<never>): Promise<void> {
  await dropEmpty(db, 'city')
}
