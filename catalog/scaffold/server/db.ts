// The database: one small pool, and rows as plain JSON values.
import pg from "pg";

const { DATE, INT8, TIMESTAMP, TIMESTAMPTZ } = pg.types.builtins;
// A row travels to the browser as JSON, so its values are JSON from the start: a date stays
// "2026-01-31" (no time zone can shift it), a numeric stays text (no digit is lost).
pg.types.setTypeParser(DATE, (text) => text);
pg.types.setTypeParser(INT8, Number);
pg.types.setTypeParser(TIMESTAMP, (text) => text.replace(" ", "T"));
pg.types.setTypeParser(TIMESTAMPTZ, (text) => new Date(text).toISOString());

/** `DATABASE_SCHEMA` is set by the tests alone: they work in a schema of their own. */
export function connectionSettings(): pg.PoolConfig {
  const { DATABASE_URL, DATABASE_SCHEMA } = process.env;
  if (!DATABASE_URL) throw new Error("DATABASE_URL is not set. See README.md.");
  return {
    connectionString: DATABASE_URL,
    ...(DATABASE_SCHEMA ? { options: `-c search_path=${DATABASE_SCHEMA}` } : {}),
  };
}

let pool: pg.Pool | undefined;

function connected(): pg.Pool {
  if (pool === undefined) {
    pool = new pg.Pool({
      ...connectionSettings(),
      max: 5,
      idleTimeoutMillis: 30_000,
      connectionTimeoutMillis: 15_000,
      allowExitOnIdle: true,
    });
    // A database that restarts ends idle connections. The next query opens a new one.
    pool.on("error", (error) => console.warn(`Lost an idle database connection: ${error.message}`));
  }
  return pool;
}

/** Runs one statement. Values go into `parameters` ($1, $2, …), never into the text. */
export async function query<Row extends object>(
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<Row[]> {
  return (await connected().query<Row>(sql, [...parameters])).rows;
}

export interface Page<Row> {
  rows: Row[];
  /** How many rows there are without the limit. */
  total: number;
}

/** The first `limit` rows of a select that has an order, and how many there are in all. */
export async function queryPage<Row extends object>(
  sql: string,
  parameters: readonly unknown[],
  limit: number,
): Promise<Page<Row>> {
  const rows = await query<Row>(`${sql} limit ${Math.trunc(limit)}`, parameters);
  if (rows.length < limit) return { rows, total: rows.length };
  const [count] = await query<{ total: number }>(
    `select count(*) as total from (${sql}) as counted`,
    parameters,
  );
  return { rows, total: count?.total ?? rows.length };
}

/** Runs `work` in one transaction: all of its statements happen, or none. */
export async function transaction<Result>(
  work: (query: <Row extends object>(sql: string, parameters?: readonly unknown[]) => Promise<Row[]>) => Promise<Result>,
): Promise<Result> {
  const client = await connected().connect();
  try {
    await client.query("begin");
    const result = await work(
      async <Row extends object>(sql: string, parameters: readonly unknown[] = []) =>
        (await client.query<Row>(sql, [...parameters])).rows,
    );
    await client.query("commit");
    client.release();
    return result;
  } catch (error) {
    // The connection may itself be what broke: drop it rather than hand it back.
    await client.query("rollback").catch(() => undefined);
    client.release(true);
    throw error;
  }
}

export async function closeDatabase(): Promise<void> {
  const closing = pool;
  pool = undefined;
  await closing?.end();
}
