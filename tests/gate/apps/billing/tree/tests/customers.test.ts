import { beforeEach, expect, test } from "vitest";
import { api, emptyTables } from "./database.ts";

const ada = {
  name: "Ada Lovelace",
  email: "ada@example.com",
  website: "https://example.com",
  status: "active" as const,
  newsletter: true,
  notes: "Prefers letters.",
};

beforeEach(emptyTables);

test("customers.create stores a customer", async () => {
  const created = await api.customers.create(ada);
  expect(created).toMatchObject(ada);
  expect(await api.customers.get({ id: created.id })).toEqual(created);
});

test("customers.create fills in what may be left out", async () => {
  expect(await api.customers.create({ name: " Ada " })).toMatchObject({
    name: "Ada",
    email: null,
    status: "lead",
    newsletter: false,
  });
});

test("customers.create refuses what is not valid", async () => {
  await expect(api.customers.create({ ...ada, name: "  " })).rejects.toMatchObject({ code: "BAD_REQUEST" });
  await expect(api.customers.create({ ...ada, email: "ada" })).rejects.toThrow("not an e-mail address");
  await expect(api.customers.create({ ...ada, website: "javascript:alert(1)" })).rejects.toThrow("web address");
});

test("customers.create refuses a second customer with the same e-mail", async () => {
  await api.customers.create(ada);
  await expect(api.customers.create({ ...ada, name: "Other" })).rejects.toMatchObject({
    code: "CONFLICT",
    message: "Another record already has this email.",
  });
});

test("customers.list finds by text and by status", async () => {
  await api.customers.create(ada);
  await api.customers.create({ name: "Grace Hopper" });
  const names = async (input: Parameters<typeof api.customers.list>[0]) =>
    (await api.customers.list(input)).rows.map((row) => row.name);
  expect(await names({})).toEqual(["Ada Lovelace", "Grace Hopper"]);
  expect(await names({ search: "grace" })).toEqual(["Grace Hopper"]);
  expect(await names({ status: "active" })).toEqual(["Ada Lovelace"]);
  expect(await names({ search: "nobody" })).toEqual([]);
});

test("customers.get answers NOT_FOUND for an unknown id", async () => {
  await expect(api.customers.get({ id: 999 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("customers.update changes a customer", async () => {
  const { id } = await api.customers.create(ada);
  const changed = await api.customers.update({ ...ada, id, status: "former", notes: null });
  expect(changed).toMatchObject({ id, status: "former", notes: null });
  await expect(api.customers.update({ ...ada, id: 999 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("customers.remove deletes a customer", async () => {
  const { id } = await api.customers.create(ada);
  expect(await api.customers.remove({ id })).toEqual({ id });
  expect((await api.customers.list({})).total).toBe(0);
  await expect(api.customers.remove({ id })).rejects.toMatchObject({ code: "NOT_FOUND" });
});
