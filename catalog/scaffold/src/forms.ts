// The state of a form: what is typed, as text, and what it means to the server.
import { useState } from "react";
import { fromLocalInput, toLocalInput } from "./format.ts";

export type FieldKind =
  | "text"
  | "longText"
  | "integer"
  | "decimal"
  | "money"
  | "boolean"
  | "date"
  | "dateTime"
  | "choice"
  | "email"
  | "url"
  | "reference";

/** One input. `options` are for choice and reference; `min` and `max` bound a number or a length. */
export interface FieldSpec<Name extends string = string> {
  name: Name;
  label: string;
  kind: FieldKind;
  required?: boolean;
  hint?: string;
  min?: number;
  max?: number;
  options?: readonly { value: string | number; label: string }[];
}

type Typed = Record<string, string | boolean>;

export interface FormState<Values> {
  typed: (name: string) => string | boolean;
  set: (name: string, value: string | boolean) => void;
  /** What the server takes: numbers as numbers, moments in UTC, an empty field as null. */
  values: () => Values;
}

/** `initial` is a row as the server sent it, or the defaults of a new one. */
export function useForm<Values extends object>(
  fields: readonly FieldSpec<keyof Values & string>[],
  initial: Partial<Values>,
): FormState<Values> {
  const [typed, setTyped] = useState<Typed>(() =>
    Object.fromEntries(fields.map((field) => [field.name, toTyped(field.kind, initial[field.name])])),
  );
  // A field that appeared after the first render has nothing typed yet.
  const current = (field: FieldSpec<keyof Values & string>) =>
    typed[field.name] ?? toTyped(field.kind, initial[field.name]);
  return {
    typed: (name) => typed[name] ?? "",
    set: (name, value) => setTyped((before) => ({ ...before, [name]: value })),
    // The kinds are declared beside the names they belong to; the server checks every value again.
    values: () =>
      Object.fromEntries(fields.map((field) => [field.name, toValue(field.kind, current(field))])) as Values,
  };
}

export function toTyped(kind: FieldKind, value: unknown): string | boolean {
  if (kind === "boolean") return value === true;
  if (value === null || value === undefined) return "";
  return kind === "dateTime" ? toLocalInput(String(value)) : String(value);
}

export function toValue(kind: FieldKind, typed: string | boolean): string | number | boolean | null {
  if (typeof typed === "boolean") return typed;
  const text = typed.trim();
  if (text === "") return null;
  if (kind === "integer" || kind === "reference") return Number(text);
  return kind === "dateTime" ? fromLocalInput(text) : text;
}
