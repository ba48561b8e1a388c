// What the browser may do with expenses.
import { z } from "zod";
import { choice, date, idInput, listInput, money, optional, reference, text } from "../fields.ts";
import {
  createExpense,
  deleteExpense,
  getExpense,
  listExpenses,
  updateExpense,
} from "../records/expenses.ts";
import { found, publicProcedure, router } from "../trpc.ts";

const values = z.object({
  title: text(),
  amount: optional(money()),
  category: choice(["travel", "food", "office"]),
  spentOnDate: optional(date()),
  reimbursed: optional(text()),
});

export const expensesRouter = router({
  list: publicProcedure
    .input(listInput.extend({ category: choice(["travel", "food", "office"]).optional() }))
    .query(({ input }) => listExpenses(input)),
  get: publicProcedure
    .input(idInput)
    .query(async ({ input }) => found(await getExpense(input.id), "expense")),
  create: publicProcedure
    .input(values)
    .mutation(async ({ input }) => found(await createExpense(input), "expense")),
  update: publicProcedure
    .input(values.extend({ id: reference() }))
    .mutation(async ({ input: { id, ...changed } }) => found(await updateExpense(id, changed), "expense")),
  delete: publicProcedure
    .input(idInput)
    .mutation(async ({ input }) => found(await deleteExpense(input.id), "expense")),
});
