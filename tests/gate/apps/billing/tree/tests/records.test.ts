import { beforeEach, expect, test } from "vitest";
import {
  createCustomer,
  getCustomer,
  listCustomers,
  removeCustomer,
  updateCustomer,
  type NewCustomer,
} from "../server/records/customers.ts";
import { createInvoice, listInvoices } from "../server/records/invoices.ts";
import { emptyTables } from "./database.ts";

const ada: NewCustomer = {
  name: "Ada Lovelace",
  email: "ada@example.com",
  website: null,
  status: "active",
  newsletter: true,
  notes: null,
};

beforeEach(emptyTables);

test("a customer is stored, found, changed and removed", async () => {
  const stored = await createCustomer(ada);
  expect(stored).toMatchObject({ ...ada, id: 1 });
  expect(await getCustomer(1)).toEqual(stored);
  expect(await updateCustomer(1, { ...ada, name: "Ada King" })).toMatchObject({ name: "Ada King" });
  expect(await removeCustomer(1)).toEqual({ id: 1 });
  expect(await getCustomer(1)).toBeUndefined();
});

test("two customers cannot have one e-mail address", async () => {
  await createCustomer(ada);
  await expect(createCustomer({ ...ada, name: "Another" })).rejects.toThrow("customers_email_key");
});

test("a list of customers is filtered, sorted and bounded", async () => {
  await createCustomer({ ...ada, name: "zoe", email: null });
  await createCustomer(ada);
  const names = (filter: { search?: string; limit: number }) =>
    listCustomers(filter).then(({ rows, total }) => [...rows.map((row) => row.name), total]);
  expect(await names({ limit: 50 })).toEqual(["Ada Lovelace", "zoe", 2]);
  expect(await names({ limit: 1 })).toEqual(["Ada Lovelace", 2]);
  expect(await names({ search: "ZO", limit: 50 })).toEqual(["zoe", 1]);
  expect(await names({ search: "100%_", limit: 50 })).toEqual([0]);
});

test("an invoice keeps its amount and its day exactly", async () => {
  await createCustomer(ada);
  const values = { customer_id: 1, number: "A-1", amount: "12345678901.05", hours: null, items: 2 };
  await createInvoice({ ...values, due_on: "2026-03-29", sent_at: "2026-03-29T01:30:00.000Z" });
  const { rows } = await listInvoices({ limit: 10 });
  expect(rows[0]).toMatchObject({ ...values, due_on: "2026-03-29", customer_name: "Ada Lovelace" });
});
