// What tests need of the database and the server.
import { query } from "../server/db.ts";
import { appRouter } from "../server/router.ts";
import { createCallerFactory } from "../server/trpc.ts";

/** Calls procedures directly: `await api.customers.list({})`. */
export const api = createCallerFactory(appRouter)({});

/** For `beforeEach`: every table of the tests' own schema becomes empty, ids start at 1. */
export async function emptyTables(): Promise<void> {
  const tables = await query<{ name: string }>(
    "select format('%I', tablename) as name from pg_tables where schemaname = current_schema()",
  );
  if (tables.length > 0) {
    const names = tables.map((table) => table.name).join(", ");
    await query(`truncate ${names} restart identity cascade`);
  }
}
