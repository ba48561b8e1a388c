import { beforeEach, expect, test } from "vitest";
import { api, emptyTables } from "./database.ts";
import { addRoom, exampleRoom } from "./examples.ts";

beforeEach(emptyTables);

test("rooms.create stores a room", async () => {
  const values = await exampleRoom();
  const created = await api.rooms.create(values);
  expect(created).toMatchObject(values);
  expect(created.id).toBe(1);
});

test("rooms.create refuses a room without what is required", async () => {
  const values = await exampleRoom();
  await expect(api.rooms.create({ ...values, name: "" })).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

test("rooms.list shows the newest first and counts all", async () => {
  const first = await addRoom();
  const second = await addRoom();
  const page = await api.rooms.list({});
  expect(page.total).toBe(2);
  expect(page.rows.map((row) => row.id)).toEqual([second.id, first.id]);
});

test("rooms.list searches", async () => {
  const created = await addRoom();
  expect((await api.rooms.list({ search: "NAME 1" })).rows).toEqual([created]);
  expect((await api.rooms.list({ search: "%no such text%" })).rows).toEqual([]);
});

test("rooms.get returns one, and says when there is none", async () => {
  const created = await addRoom();
  expect(await api.rooms.get({ id: created.id })).toEqual(created);
  await expect(api.rooms.get({ id: created.id + 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("rooms.update changes it, and says when there is none", async () => {
  const { id } = await addRoom();
  const values = { ...(await exampleRoom()), name: "Name 2" };
  expect(await api.rooms.update({ ...values, id })).toMatchObject({ ...values, id });
  await expect(api.rooms.update({ ...values, id: id + 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("rooms.delete removes it for good", async () => {
  const { id } = await addRoom();
  expect(await api.rooms.delete({ id })).toEqual({ id });
  await expect(api.rooms.delete({ id })).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect((await api.rooms.list({})).total).toBe(0);
});
