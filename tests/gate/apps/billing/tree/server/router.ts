// Everything the browser may ask of the server. One line per entity.
import { customers } from "./procedures/customers.ts";
import { invoices } from "./procedures/invoices.ts";
import { router } from "./trpc.ts";

export const appRouter = router({
  customers,
  invoices,
});

export type AppRouter = typeof appRouter;
