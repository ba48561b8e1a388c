// The base every procedure is built on: readable errors, and nothing internal in them.
import { initTRPC, TRPCError } from "@trpc/server";
import { z } from "zod";
import { explainDatabaseError } from "./databaseErrors.ts";

const t = initTRPC.create({
  isDev: false, // development must not send stack traces either
  errorFormatter({ shape, error }) {
    if (error.cause instanceof z.ZodError) {
      const fields = fieldMessages(error.cause);
      const message = Object.entries(fields).map(([name, text]) => `${name}: ${text}`).join(" ");
      return { ...shape, message: message || "The input is not valid.", data: { ...shape.data, fields } };
    }
    const message =
      error.code === "INTERNAL_SERVER_ERROR" ? "Something went wrong on the server." : shape.message;
    return { ...shape, message, data: { ...shape.data, fields: undefined } };
  },
});

/** The first message per input field, for forms to show beside the field. */
function fieldMessages(error: z.ZodError): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const issue of error.issues) fields[issue.path.join(".") || "input"] ??= issue.message;
  return fields;
}

export const router = t.router;
export const createCallerFactory = t.createCallerFactory;

export const publicProcedure = t.procedure.use(async ({ path, next }) => {
  const result = await next();
  if (result.ok || result.error.code !== "INTERNAL_SERVER_ERROR") return result;
  const explained = explainDatabaseError(result.error.cause);
  if (explained) throw explained;
  console.error(`${path} failed:`, result.error.cause ?? result.error);
  return result;
});

/** For a row that is not there: `return found(await getCustomer(id), "customer")`. */
export function found<Row>(row: Row | undefined, what: string): Row {
  if (row === undefined) {
    throw new TRPCError({ code: "NOT_FOUND", message: `This ${what} does not exist (any more).` });
  }
  return row;
}
