// Everything the browser may ask of the server. One line per entity.
import { router } from "./trpc.ts";

export const appRouter = router({});

export type AppRouter = typeof appRouter;
