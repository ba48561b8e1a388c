import { beforeEach, expect, test } from "vitest";
import { api, emptyTables } from "./database.ts";
import { addCustomer, exampleCustomer } from "./examples.ts";

beforeEach(emptyTables);

test("customers.create stores a customer", async () => {
  const values = await exampleCustomer();
  const created = await api.customers.create(values);
  expect(created).toMatchObject(values);
  expect(created.id).toBe(1);
});

test("customers.create refuses a customer without what is required", async () => {
  const values = await exampleCustomer();
  await expect(api.customers.create({ ...values, name: "" })).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

test("customers.list shows the newest first and counts all", async () => {
  const first = await addCustomer();
  const second = await addCustomer();
  const page = await api.customers.list({});
  expect(page.total).toBe(2);
  expect(page.rows.map((row) => row.id)).toEqual([second.id, first.id]);
});

test("customers.list searches", async () => {
  const created = await addCustomer();
  expect((await api.customers.list({ search: "NAME 1" })).rows).toEqual([created]);
  expect((await api.customers.list({ search: "%no such text%" })).rows).toEqual([]);
});

test("customers.get returns one, and says when there is none", async () => {
  const created = await addCustomer();
  expect(await api.customers.get({ id: created.id })).toEqual(created);
  await expect(api.customers.get({ id: created.id + 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("customers.update changes it, and says when there is none", async () => {
  const { id } = await addCustomer();
  const values = { ...(await exampleCustomer()), name: "Name 2" };
  expect(await api.customers.update({ ...values, id })).toMatchObject({ ...values, id });
  await expect(api.customers.update({ ...values, id: id + 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("customers.delete removes it for good", async () => {
  const { id } = await addCustomer();
  expect(await api.customers.delete({ id })).toEqual({ id });
  await expect(api.customers.delete({ id })).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect((await api.customers.list({})).total).toBe(0);
});
