// Everything the browser may ask of the server. One line per entity.
import { expensesRouter } from "./procedures/expenses.ts";
import { router } from "./trpc.ts";

export const appRouter = router({
  expenses: expensesRouter,
});

export type AppRouter = typeof appRouter;
