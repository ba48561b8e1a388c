// Applies the files of db/migrations that the database has not seen: `npm run migrate`.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import pg from "pg";
import { connectionSettings } from "./db.ts";

const folder = path.join(import.meta.dirname, "..", "db", "migrations");
const lockKey = 726_141;

export interface Migration {
  number: number;
  name: string;
  sql: string;
}

/** The migration files in number order. */
export async function readMigrations(): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".sql"));
  const migrations = await Promise.all(
    names.map(async (name) => {
      const digits = /^(\d+)_/.exec(name)?.[1];
      if (digits === undefined) throw new Error(`${name} must be named like 0001_customers.sql.`);
      return { number: Number(digits), name, sql: await readFile(path.join(folder, name), "utf8") };
    }),
  );
  migrations.sort((a, b) => a.number - b.number);
  for (const [index, migration] of migrations.entries()) {
    const next = migrations[index + 1];
    if (next?.number === migration.number) {
      throw new Error(`${migration.name} and ${next.name} have the same number.`);
    }
  }
  return migrations;
}

/** Applies the pending migrations, each in a transaction, and returns their names. */
export async function migrate(client: pg.Client): Promise<string[]> {
  await client.query("select pg_advisory_lock($1)", [lockKey]);
  await client.query(
    `create schema if not exists appfleet;
     create table if not exists appfleet.migrations (
       number int primary key, name text not null, sha256 text not null,
       applied_at timestamptz not null default now())`,
  );
  const { rows } = await client.query<{ number: number; sha256: string }>(
    "select number, sha256 from appfleet.migrations",
  );
  const known = new Map(rows.map((row) => [row.number, row.sha256]));
  const applied: string[] = [];
  for (const migration of await readMigrations()) {
    const sha256 = createHash("sha256").update(migration.sql).digest("hex");
    const recorded = known.get(migration.number);
    if (recorded === sha256) continue;
    if (recorded !== undefined) {
      throw new Error(`${migration.name} was edited after it was applied. Write a new migration.`);
    }
    await applyOne(client, migration, sha256);
    applied.push(migration.name);
  }
  return applied;
}

async function applyOne(client: pg.Client, migration: Migration, sha256: string): Promise<void> {
  try {
    await client.query("begin");
    await client.query(migration.sql);
    await client.query(
      "insert into appfleet.migrations (number, name, sha256) values ($1, $2, $3)",
      [migration.number, migration.name, sha256],
    );
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    throw new Error(`${migration.name} failed: ${String(error)}`, { cause: error });
  }
}

if (import.meta.main) {
  const client = new pg.Client(connectionSettings());
  await client.connect();
  try {
    const applied = await migrate(client);
    console.log(applied.length ? `Applied ${applied.join(", ")}.` : "Nothing to apply.");
  } finally {
    await client.end();
  }
}
