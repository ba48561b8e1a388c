import { beforeEach, expect, test } from "vitest";
import { api, emptyTables } from "./database.ts";
import { addDeal, exampleDeal } from "./examples.ts";

beforeEach(emptyTables);

test("deals.create stores a deal", async () => {
  const values = await exampleDeal();
  const created = await api.deals.create(values);
  expect(created).toMatchObject(values);
  expect(created.id).toBe(1);
});

test("deals.create refuses a deal without what is required", async () => {
  const values = await exampleDeal();
  await expect(api.deals.create({ ...values, title: "" })).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

test("deals.create refuses a customer that does not exist", async () => {
  const values = await exampleDeal();
  await expect(api.deals.create({ ...values, customerId: 999_999 })).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

test("deals.list shows the newest first and counts all", async () => {
  const first = await addDeal();
  const second = await addDeal();
  const page = await api.deals.list({});
  expect(page.total).toBe(2);
  expect(page.rows.map((row) => row.id)).toEqual([second.id, first.id]);
});

test("deals.list searches", async () => {
  const created = await addDeal();
  expect((await api.deals.list({ search: "TITLE 1" })).rows).toEqual([created]);
  expect((await api.deals.list({ search: "%no such text%" })).rows).toEqual([]);
});

test("deals.list filters by stage", async () => {
  const created = await addDeal();
  expect((await api.deals.list({ stage: created.stage })).rows).toEqual([created]);
  expect((await api.deals.list({ stage: "won" })).rows).toEqual([]);
});

test("deals.list filters by customer", async () => {
  const created = await addDeal();
  expect((await api.deals.list({ customerId: created.customerId })).rows).toEqual([created]);
  expect((await api.deals.list({ customerId: 999_999 })).rows).toEqual([]);
});

test("deals.get returns one, and says when there is none", async () => {
  const created = await addDeal();
  expect(await api.deals.get({ id: created.id })).toEqual(created);
  await expect(api.deals.get({ id: created.id + 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("deals.update changes it, and says when there is none", async () => {
  const { id } = await addDeal();
  const values = { ...(await exampleDeal()), title: "Title 2" };
  expect(await api.deals.update({ ...values, id })).toMatchObject({ ...values, id });
  await expect(api.deals.update({ ...values, id: id + 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("deals.delete removes it for good", async () => {
  const { id } = await addDeal();
  expect(await api.deals.delete({ id })).toEqual({ id });
  await expect(api.deals.delete({ id })).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect((await api.deals.list({})).total).toBe(0);
});
