import { z } from "zod";
import * as field from "../fields.ts";
import * as records from "../records/customers.ts";
import { found, publicProcedure, router } from "../trpc.ts";

const values = z.object({
  name: field.text(),
  email: field.optional(field.email()),
  website: field.optional(field.url()),
  status: field.choice(records.customerStatuses).default("lead"),
  newsletter: field.boolean().default(false),
  notes: field.optional(field.longText()),
});

export const customers = router({
  list: publicProcedure
    .input(field.listInput.extend({ status: field.choice(records.customerStatuses).optional() }))
    .query(({ input }) => records.listCustomers(input)),
  get: publicProcedure
    .input(field.idInput)
    .query(async ({ input }) => found(await records.getCustomer(input.id), "customer")),
  create: publicProcedure
    .input(values)
    .mutation(async ({ input }) => found(await records.createCustomer(input), "customer")),
  update: publicProcedure
    .input(values.extend(field.idInput.shape))
    .mutation(async ({ input }) => found(await records.updateCustomer(input.id, input), "customer")),
  remove: publicProcedure
    .input(field.idInput)
    .mutation(async ({ input }) => found(await records.removeCustomer(input.id), "customer")),
});
