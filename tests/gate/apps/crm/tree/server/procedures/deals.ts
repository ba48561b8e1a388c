// What the browser may do with deals.
import { z } from "zod";
import { choice, idInput, listInput, money, optional, reference, text } from "../fields.ts";
import {
  createDeal,
  deleteDeal,
  getDeal,
  listDeals,
  updateDeal,
} from "../records/deals.ts";
import { found, publicProcedure, router } from "../trpc.ts";

const values = z.object({
  title: text(),
  amount: optional(money()),
  stage: choice(["lead", "won", "lost"]),
  customerId: reference(),
});

export const dealsRouter = router({
  list: publicProcedure
    .input(listInput.extend({ stage: choice(["lead", "won", "lost"]).optional(), customerId: reference().optional() }))
    .query(({ input }) => listDeals(input)),
  get: publicProcedure
    .input(idInput)
    .query(async ({ input }) => found(await getDeal(input.id), "deal")),
  create: publicProcedure
    .input(values)
    .mutation(async ({ input }) => found(await createDeal(input), "deal")),
  update: publicProcedure
    .input(values.extend({ id: reference() }))
    .mutation(async ({ input: { id, ...changed } }) => found(await updateDeal(id, changed), "deal")),
  delete: publicProcedure
    .input(idInput)
    .mutation(async ({ input }) => found(await deleteDeal(input.id), "deal")),
});
