// What the browser may do with bookings.
import { z } from "zod";
import { date, email, idInput, listInput, longText, optional, reference, text } from "../fields.ts";
import {
  createBooking,
  deleteBooking,
  getBooking,
  listBookings,
  updateBooking,
} from "../records/bookings.ts";
import { found, publicProcedure, router } from "../trpc.ts";

const values = z.object({
  guest: text(),
  email: optional(email()),
  startDate: optional(date()),
  endDate: optional(date()),
  notes: optional(longText()),
  roomId: reference(),
});

export const bookingsRouter = router({
  list: publicProcedure
    .input(listInput.extend({ roomId: reference().optional() }))
    .query(({ input }) => listBookings(input)),
  get: publicProcedure
    .input(idInput)
    .query(async ({ input }) => found(await getBooking(input.id), "booking")),
  create: publicProcedure
    .input(values)
    .mutation(async ({ input }) => found(await createBooking(input), "booking")),
  update: publicProcedure
    .input(values.extend({ id: reference() }))
    .mutation(async ({ input: { id, ...changed } }) => found(await updateBooking(id, changed), "booking")),
  delete: publicProcedure
    .input(idInput)
    .mutation(async ({ input }) => found(await deleteBooking(input.id), "booking")),
});
