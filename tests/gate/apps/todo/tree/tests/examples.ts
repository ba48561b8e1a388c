// Valid records for the tests; what a record points at is created with it.
import { api } from "./database.ts";

export async function exampleTodo() {
  return {
    title: "Title 1",
    description: "Description, first line.\nAnd a second one (1).",
    done: false,
    priority: "low" as const,
    dueDate: "2026-01-15",
  };
}

export async function addTodo() {
  return api.todos.create(await exampleTodo());
}
