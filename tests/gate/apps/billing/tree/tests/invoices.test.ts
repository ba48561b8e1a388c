import { beforeEach, expect, test } from "vitest";
import { api, emptyTables } from "./database.ts";

async function invoice() {
  const customer = await api.customers.create({ name: "Ada Lovelace" });
  return {
    customer_id: customer.id,
    number: "2026-001",
    amount: "1250.50",
    hours: "12.5000",
    items: 3,
    due_on: "2026-02-28",
    sent_at: "2026-01-31T09:30:00.000Z",
  };
}

beforeEach(emptyTables);

test("invoices.create stores an invoice", async () => {
  const values = await invoice();
  expect(await api.invoices.create(values)).toMatchObject(values);
});

test("invoices.create refuses a customer that does not exist", async () => {
  const values = await invoice();
  await expect(api.invoices.create({ ...values, customer_id: 999 })).rejects.toMatchObject({
    code: "BAD_REQUEST",
    message: "The chosen customer does not exist.",
  });
});

test("invoices.create refuses amounts and days that are none", async () => {
  const values = await invoice();
  for (const wrong of [{ amount: "1.999" }, { amount: "1e5" }, { due_on: "2026-02-30" }, { items: 0 }]) {
    await expect(api.invoices.create({ ...values, ...wrong })).rejects.toMatchObject({ code: "BAD_REQUEST" });
  }
});

test("invoices.list finds by number and by customer, and names the customer", async () => {
  const values = await invoice();
  await api.invoices.create(values);
  const { rows } = await api.invoices.list({ search: "001", customer_id: values.customer_id });
  expect(rows).toMatchObject([{ number: "2026-001", customer_name: "Ada Lovelace" }]);
  expect((await api.invoices.list({ customer_id: 999 })).rows).toEqual([]);
});

test("invoices.get answers one invoice, or NOT_FOUND", async () => {
  const { id } = await api.invoices.create(await invoice());
  expect(await api.invoices.get({ id })).toMatchObject({ id, number: "2026-001" });
  await expect(api.invoices.get({ id: 999 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("invoices.update changes an invoice", async () => {
  const values = await invoice();
  const { id } = await api.invoices.create(values);
  expect(await api.invoices.update({ ...values, id, amount: "99.00", sent_at: null })).toMatchObject({
    amount: "99.00",
    sent_at: null,
  });
});

test("invoices.remove deletes an invoice and frees its customer", async () => {
  const values = await invoice();
  const { id } = await api.invoices.create(values);
  await expect(api.customers.remove({ id: values.customer_id })).rejects.toMatchObject({ code: "CONFLICT" });
  await api.invoices.remove({ id });
  await api.customers.remove({ id: values.customer_id });
});
