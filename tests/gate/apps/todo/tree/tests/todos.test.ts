import { beforeEach, expect, test } from "vitest";
import { api, emptyTables } from "./database.ts";
import { addTodo, exampleTodo } from "./examples.ts";

beforeEach(emptyTables);

test("todos.create stores a todo", async () => {
  const values = await exampleTodo();
  const created = await api.todos.create(values);
  expect(created).toMatchObject(values);
  expect(created.id).toBe(1);
});

test("todos.create refuses a todo without what is required", async () => {
  const values = await exampleTodo();
  await expect(api.todos.create({ ...values, title: "" })).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

test("todos.list shows the newest first and counts all", async () => {
  const first = await addTodo();
  const second = await addTodo();
  const page = await api.todos.list({});
  expect(page.total).toBe(2);
  expect(page.rows.map((row) => row.id)).toEqual([second.id, first.id]);
});

test("todos.list searches", async () => {
  const created = await addTodo();
  expect((await api.todos.list({ search: "TITLE 1" })).rows).toEqual([created]);
  expect((await api.todos.list({ search: "%no such text%" })).rows).toEqual([]);
});

test("todos.list filters by done", async () => {
  const created = await addTodo();
  expect((await api.todos.list({ done: created.done })).rows).toEqual([created]);
  expect((await api.todos.list({ done: true })).rows).toEqual([]);
});

test("todos.list filters by priority", async () => {
  const created = await addTodo();
  expect((await api.todos.list({ priority: created.priority })).rows).toEqual([created]);
  expect((await api.todos.list({ priority: "medium" })).rows).toEqual([]);
});

test("todos.get returns one, and says when there is none", async () => {
  const created = await addTodo();
  expect(await api.todos.get({ id: created.id })).toEqual(created);
  await expect(api.todos.get({ id: created.id + 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("todos.update changes it, and says when there is none", async () => {
  const { id } = await addTodo();
  const values = { ...(await exampleTodo()), title: "Title 2" };
  expect(await api.todos.update({ ...values, id })).toMatchObject({ ...values, id });
  await expect(api.todos.update({ ...values, id: id + 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("todos.delete removes it for good", async () => {
  const { id } = await addTodo();
  expect(await api.todos.delete({ id })).toEqual({ id });
  await expect(api.todos.delete({ id })).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect((await api.todos.list({})).total).toBe(0);
});
