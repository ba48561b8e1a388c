import { beforeEach, expect, test } from "vitest";
import { api, emptyTables } from "./database.ts";
import { addExpense, exampleExpense } from "./examples.ts";

beforeEach(emptyTables);

test("expenses.create stores a expense", async () => {
  const values = await exampleExpense();
  const created = await api.expenses.create(values);
  expect(created).toMatchObject(values);
  expect(created.id).toBe(1);
});

test("expenses.create refuses a expense without what is required", async () => {
  const values = await exampleExpense();
  await expect(api.expenses.create({ ...values, title: "" })).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

test("expenses.list shows the newest first and counts all", async () => {
  const first = await addExpense();
  const second = await addExpense();
  const page = await api.expenses.list({});
  expect(page.total).toBe(2);
  expect(page.rows.map((row) => row.id)).toEqual([second.id, first.id]);
});

test("expenses.list searches", async () => {
  const created = await addExpense();
  expect((await api.expenses.list({ search: "TITLE 1" })).rows).toEqual([created]);
  expect((await api.expenses.list({ search: "%no such text%" })).rows).toEqual([]);
});

test("expenses.list filters by category", async () => {
  const created = await addExpense();
  expect((await api.expenses.list({ category: created.category })).rows).toEqual([created]);
  expect((await api.expenses.list({ category: "food" })).rows).toEqual([]);
});

test("expenses.get returns one, and says when there is none", async () => {
  const created = await addExpense();
  expect(await api.expenses.get({ id: created.id })).toEqual(created);
  await expect(api.expenses.get({ id: created.id + 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("expenses.update changes it, and says when there is none", async () => {
  const { id } = await addExpense();
  const values = { ...(await exampleExpense()), title: "Title 2" };
  expect(await api.expenses.update({ ...values, id })).toMatchObject({ ...values, id });
  await expect(api.expenses.update({ ...values, id: id + 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("expenses.delete removes it for good", async () => {
  const { id } = await addExpense();
  expect(await api.expenses.delete({ id })).toEqual({ id });
  await expect(api.expenses.delete({ id })).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect((await api.expenses.list({})).total).toBe(0);
});
