// What the browser may do with customers.
import { z } from "zod";
import { email, idInput, listInput, optional, reference, text } from "../fields.ts";
import {
  createCustomer,
  deleteCustomer,
  getCustomer,
  listCustomers,
  updateCustomer,
} from "../records/customers.ts";
import { found, publicProcedure, router } from "../trpc.ts";

const values = z.object({
  name: text(),
  email: optional(email()),
  phone: optional(text()),
});

export const customersRouter = router({
  list: publicProcedure
    .input(listInput)
    .query(({ input }) => listCustomers(input)),
  get: publicProcedure
    .input(idInput)
    .query(async ({ input }) => found(await getCustomer(input.id), "customer")),
  create: publicProcedure
    .input(values)
    .mutation(async ({ input }) => found(await createCustomer(input), "customer")),
  update: publicProcedure
    .input(values.extend({ id: reference() }))
    .mutation(async ({ input: { id, ...changed } }) => found(await updateCustomer(id, changed), "customer")),
  delete: publicProcedure
    .input(idInput)
    .mutation(async ({ input }) => found(await deleteCustomer(input.id), "customer")),
});
