import { expect, test } from "vitest";
import { query, queryPage, transaction } from "../server/db.ts";
import { explainDatabaseError } from "../server/databaseErrors.ts";

test("the tests work in a schema of their own", async () => {
  const [row] = await query<{ schema: string }>("select current_schema() as schema");
  expect(row?.schema).toMatch(/^test_[0-9a-f]{12}$/);
});

test("values of the database arrive as plain JSON values", async () => {
  const [row] = await query(
    `select date '2026-01-31' as day, 12.50::numeric(14, 2) as amount, count(*) as number,
            timestamptz '2026-01-31 10:00+01' as moment, null as nothing from generate_series(1, 3)`,
  );
  expect(row).toEqual({
    day: "2026-01-31",
    amount: "12.50",
    number: 3,
    moment: "2026-01-31T09:00:00.000Z",
    nothing: null,
  });
});

test("a page of rows knows how many there are in all", async () => {
  const page = await queryPage("select n from generate_series(1, $1::int) n order by n", [7], 3);
  expect(page).toEqual({ rows: [{ n: 1 }, { n: 2 }, { n: 3 }], total: 7 });
});

test("a transaction that fails leaves nothing behind", async () => {
  await query("create table check_rows (text text not null unique)");
  const failing = transaction(async (run) => {
    await run("insert into check_rows values ('kept?')");
    await run("insert into check_rows values (null)");
  });
  await expect(failing).rejects.toThrow();
  expect(await query("select * from check_rows")).toEqual([]);
  await query("drop table check_rows");
});

test("a refusal of the database is explained without its SQL", async () => {
  await query("create table check_labels (short_name text unique)");
  await query("insert into check_labels values ('a')");
  const error: unknown = await query("insert into check_labels values ('a')").catch((e: unknown) => e);
  const explained = explainDatabaseError(error);
  expect(explained?.code).toBe("CONFLICT");
  expect(explained?.message).toBe("Another record already has this short name.");
  expect(explainDatabaseError(new Error("other"))).toBeUndefined();
  await query("drop table check_labels");
});
