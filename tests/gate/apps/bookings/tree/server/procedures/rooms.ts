// What the browser may do with rooms.
import { z } from "zod";
import { idInput, integer, listInput, optional, reference, text } from "../fields.ts";
import {
  createRoom,
  deleteRoom,
  getRoom,
  listRooms,
  updateRoom,
} from "../records/rooms.ts";
import { found, publicProcedure, router } from "../trpc.ts";

const values = z.object({
  name: text(),
  capacity: optional(integer()),
});

export const roomsRouter = router({
  list: publicProcedure
    .input(listInput)
    .query(({ input }) => listRooms(input)),
  get: publicProcedure
    .input(idInput)
    .query(async ({ input }) => found(await getRoom(input.id), "room")),
  create: publicProcedure
    .input(values)
    .mutation(async ({ input }) => found(await createRoom(input), "room")),
  update: publicProcedure
    .input(values.extend({ id: reference() }))
    .mutation(async ({ input: { id, ...changed } }) => found(await updateRoom(id, changed), "room")),
  delete: publicProcedure
    .input(idInput)
    .mutation(async ({ input }) => found(await deleteRoom(input.id), "room")),
});
