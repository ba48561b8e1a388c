// Everything the browser may ask of the server. One line per entity.
import { bookingsRouter } from "./procedures/bookings.ts";
import { roomsRouter } from "./procedures/rooms.ts";
import { router } from "./trpc.ts";

export const appRouter = router({
  rooms: roomsRouter,
  bookings: bookingsRouter,
});

export type AppRouter = typeof appRouter;
