// Before the tests: a schema of their own in the real database, with every migration applied.
// After them it is gone, and the app's own tables were never touched.
import { randomBytes } from "node:crypto";
import pg from "pg";
import { connectionSettings } from "../server/db.ts";
import { readMigrations } from "../server/migrate.ts";

export default async function setup(): Promise<() => Promise<void>> {
  const schema = `test_${randomBytes(6).toString("hex")}`;
  const admin = new pg.Client(connectionSettings());
  await admin.connect();
  await admin.query(`create schema ${schema}`);
  const dropSchema = async () => {
    await admin.query(`drop schema ${schema} cascade`);
    await admin.end();
  };
  try {
    await admin.query(`set search_path to ${schema}`);
    for (const migration of await readMigrations()) await admin.query(migration.sql);
  } catch (error) {
    await dropSchema();
    throw error;
  }
  process.env.DATABASE_SCHEMA = schema; // server/db.ts reads it in the worker
  return dropSchema;
}
