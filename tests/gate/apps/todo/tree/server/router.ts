// Everything the browser may ask of the server. One line per entity.
import { todosRouter } from "./procedures/todos.ts";
import { router } from "./trpc.ts";

export const appRouter = router({
  todos: todosRouter,
});

export type AppRouter = typeof appRouter;
