// What an input field accepts. Every entity's schema is made of these.
import { z } from "zod";

const required = "This is required.";

export const text = (max = 200) => z.string().trim().min(1, required).max(max, `At most ${max} characters.`);
export const longText = (max = 10_000) => text(max);
export const integer = () => z.int("A whole number is needed.").min(-2_147_483_648).max(2_147_483_647);
export const boolean = () => z.boolean();
export const choice = <const Values extends readonly [string, ...string[]]>(values: Values) =>
  z.enum(values, "Choose one of the options.");
export const email = () => text(254).pipe(z.email("This is not an e-mail address."));
export const url = () =>
  text(2_000).pipe(z.url({ protocol: /^https?$/, error: "This is not a web address (https://…)." }));
/** The id of a row, of this entity or of another. */
export const reference = () => z.int(required).positive(required);

/** Decimals travel as text, "12.50", so that no digit is lost. */
export const decimal = (wholeDigits = 12, scale = 4) =>
  z.string().trim().regex(
    new RegExp(`^-?\\d{1,${wholeDigits}}(\\.\\d{1,${scale}})?$`),
    `A number with at most ${scale} decimals is needed.`,
  );
/** An amount for a numeric(14,2) column. */
export const money = () => decimal(12, 2);
/** "2026-01-31" */
export const date = () => z.iso.date("This is not a date.");
/** "2026-01-31T09:30:00.000Z" */
export const dateTime = () => z.iso.datetime({ offset: true, error: "This is not a date and time." });

/** A field that may stay empty: null, or left out, which means null too. */
export const optional = <Schema extends z.ZodType>(schema: Schema) => z.nullable(schema).default(null);

/** The input of every list procedure; extend it with the entity's own filters. */
export const listInput = z.object({
  search: z.string().trim().max(200).optional(),
  limit: z.int().min(1).max(1_000).default(50),
});
export const idInput = z.object({ id: reference() });
