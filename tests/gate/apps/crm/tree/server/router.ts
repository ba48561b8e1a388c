// Everything the browser may ask of the server. One line per entity.
import { customersRouter } from "./procedures/customers.ts";
import { dealsRouter } from "./procedures/deals.ts";
import { router } from "./trpc.ts";

export const appRouter = router({
  customers: customersRouter,
  deals: dealsRouter,
});

export type AppRouter = typeof appRouter;
