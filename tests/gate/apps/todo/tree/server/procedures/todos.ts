// What the browser may do with todos.
import { z } from "zod";
import { boolean, choice, date, idInput, listInput, longText, optional, reference, text } from "../fields.ts";
import {
  createTodo,
  deleteTodo,
  getTodo,
  listTodos,
  updateTodo,
} from "../records/todos.ts";
import { found, publicProcedure, router } from "../trpc.ts";

const values = z.object({
  title: text(),
  description: optional(longText()),
  done: boolean(),
  priority: choice(["low", "medium", "high"]),
  dueDate: optional(date()),
});

export const todosRouter = router({
  list: publicProcedure
    .input(listInput.extend({ done: boolean().optional(), priority: choice(["low", "medium", "high"]).optional() }))
    .query(({ input }) => listTodos(input)),
  get: publicProcedure
    .input(idInput)
    .query(async ({ input }) => found(await getTodo(input.id), "todo")),
  create: publicProcedure
    .input(values)
    .mutation(async ({ input }) => found(await createTodo(input), "todo")),
  update: publicProcedure
    .input(values.extend({ id: reference() }))
    .mutation(async ({ input: { id, ...changed } }) => found(await updateTodo(id, changed), "todo")),
  delete: publicProcedure
    .input(idInput)
    .mutation(async ({ input }) => found(await deleteTodo(input.id), "todo")),
});
