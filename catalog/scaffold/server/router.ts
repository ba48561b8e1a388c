// Everything the browser may ask of the server. One line per entity.
import { publicProcedure, router } from "./trpc.ts";

export const appRouter = router({
  placeholder: publicProcedure.query(() => ({ placeholder: "appfleet scaffold" })),
});

export type AppRouter = typeof appRouter;
