import { z } from "zod";
import * as field from "../fields.ts";
import * as records from "../records/invoices.ts";
import { found, publicProcedure, router } from "../trpc.ts";

const values = z.object({
  customer_id: field.reference(),
  number: field.text(40),
  amount: field.money(),
  hours: field.optional(field.decimal()),
  items: field.integer().min(1).default(1),
  due_on: field.date(),
  sent_at: field.optional(field.dateTime()),
});

export const invoices = router({
  list: publicProcedure
    .input(field.listInput.extend({ customer_id: field.reference().optional() }))
    .query(({ input }) => records.listInvoices(input)),
  get: publicProcedure
    .input(field.idInput)
    .query(async ({ input }) => found(await records.getInvoice(input.id), "invoice")),
  create: publicProcedure
    .input(values)
    .mutation(async ({ input }) => found(await records.createInvoice(input), "invoice")),
  update: publicProcedure
    .input(values.extend(field.idInput.shape))
    .mutation(async ({ input }) => found(await records.updateInvoice(input.id, input), "invoice")),
  remove: publicProcedure
    .input(field.idInput)
    .mutation(async ({ input }) => found(await records.removeInvoice(input.id), "invoice")),
});
