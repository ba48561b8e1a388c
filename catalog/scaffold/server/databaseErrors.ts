// What the database refuses, in words a person can act on.
import { TRPCError } from "@trpc/server";
import pg from "pg";

/** Undefined for anything that is not the caller's to mend. */
export function explainDatabaseError(cause: unknown): TRPCError | undefined {
  if (!(cause instanceof pg.DatabaseError)) return undefined;
  const column = label(/^Key \(([^)]*)\)/.exec(cause.detail ?? "")?.[1] ?? cause.column ?? "value");
  const refuse = (code: "CONFLICT" | "BAD_REQUEST", message: string) =>
    new TRPCError({ code, message, cause });
  switch (cause.code) {
    case "23505":
      return refuse("CONFLICT", `Another record already has this ${column}.`);
    case "23503": // the same code for "the row you point at is gone" and "this row is pointed at"
      return cause.detail?.includes("is still referenced")
        ? refuse("CONFLICT", `This is still in use by ${label(cause.table ?? "other records")}.`)
        : refuse("BAD_REQUEST", `The chosen ${column} does not exist.`);
    case "23001":
      return refuse("CONFLICT", "This is still in use by other records.");
    case "23502":
      return refuse("BAD_REQUEST", `A ${label(cause.column ?? "value")} is required.`);
    case "23514":
      return refuse("BAD_REQUEST", `The database refused this value (${label(cause.constraint ?? "check")}).`);
    case "22001":
      return refuse("BAD_REQUEST", "A text is too long.");
    case "22021":
      return refuse("BAD_REQUEST", "A text holds a character that cannot be stored.");
    case "22003":
      return refuse("BAD_REQUEST", "A number is too large.");
    case "22007":
    case "22008":
    case "22P02":
      return refuse("BAD_REQUEST", "A value has the wrong form.");
    default:
      return undefined;
  }
}

function label(name: string): string {
  return name.replace(/_id$/, "").replaceAll("_", " ");
}
