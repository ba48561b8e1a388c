-- name: lock
select pg_advisory_xact_lock(7246531);

-- name: ledger_exists
select to_regclass('schema_migrations') is not null as yes;

-- name: create_ledger
create table if not exists schema_migrations (
    number integer primary key,
    name text not null,
    sha256 text not null,
    applied_at timestamptz not null default clock_timestamp()
);

-- name: applied
select number, name, sha256 from schema_migrations order by number;

-- name: record
insert into schema_migrations (number, name, sha256) values (%(number)s, %(name)s, %(sha256)s);
