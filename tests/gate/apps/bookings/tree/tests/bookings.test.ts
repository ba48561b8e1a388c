import { beforeEach, expect, test } from "vitest";
import { api, emptyTables } from "./database.ts";
import { addBooking, exampleBooking } from "./examples.ts";

beforeEach(emptyTables);

test("bookings.create stores a booking", async () => {
  const values = await exampleBooking();
  const created = await api.bookings.create(values);
  expect(created).toMatchObject(values);
  expect(created.id).toBe(1);
});

test("bookings.create refuses a booking without what is required", async () => {
  const values = await exampleBooking();
  await expect(api.bookings.create({ ...values, guest: "" })).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

test("bookings.create refuses a room that does not exist", async () => {
  const values = await exampleBooking();
  await expect(api.bookings.create({ ...values, roomId: 999_999 })).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

test("bookings.list shows the newest first and counts all", async () => {
  const first = await addBooking();
  const second = await addBooking();
  const page = await api.bookings.list({});
  expect(page.total).toBe(2);
  expect(page.rows.map((row) => row.id)).toEqual([second.id, first.id]);
});

test("bookings.list searches", async () => {
  const created = await addBooking();
  expect((await api.bookings.list({ search: "GUEST 1" })).rows).toEqual([created]);
  expect((await api.bookings.list({ search: "%no such text%" })).rows).toEqual([]);
});

test("bookings.list filters by room", async () => {
  const created = await addBooking();
  expect((await api.bookings.list({ roomId: created.roomId })).rows).toEqual([created]);
  expect((await api.bookings.list({ roomId: 999_999 })).rows).toEqual([]);
});

test("bookings.get returns one, and says when there is none", async () => {
  const created = await addBooking();
  expect(await api.bookings.get({ id: created.id })).toEqual(created);
  await expect(api.bookings.get({ id: created.id + 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("bookings.update changes it, and says when there is none", async () => {
  const { id } = await addBooking();
  const values = { ...(await exampleBooking()), guest: "Guest 2" };
  expect(await api.bookings.update({ ...values, id })).toMatchObject({ ...values, id });
  await expect(api.bookings.update({ ...values, id: id + 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("bookings.delete removes it for good", async () => {
  const { id } = await addBooking();
  expect(await api.bookings.delete({ id })).toEqual({ id });
  await expect(api.bookings.delete({ id })).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect((await api.bookings.list({})).total).toBe(0);
});
