// How values look to a person. Everything takes what the server sends; null stays null.

/** The one currency of the app's amounts. */
export const currency = "USD";

const numbers = new Intl.NumberFormat(undefined, { maximumFractionDigits: 6 });
const amounts = new Intl.NumberFormat(undefined, { style: "currency", currency });
const days = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

type Missing = null | undefined;

/** Decimals arrive as text and are formatted as text, so no digit is lost. */
export function formatNumber(value: number | string | Missing): string | null {
  return value === null || value === undefined ? null : numbers.format(value as Intl.StringNumericLiteral);
}

export function formatMoney(value: string | number | Missing): string | null {
  return value === null || value === undefined ? null : amounts.format(value as Intl.StringNumericLiteral);
}

/** "2026-01-31" names a day, not a moment: no time zone may move it. */
export function formatDate(value: string | Missing): string | null {
  return value ? days.format(new Date(`${value}T00:00:00Z`)) : null;
}

export function formatDateTime(value: string | Missing): string | null {
  return value ? moments.format(new Date(value)) : null;
}

export function formatBoolean(value: boolean | Missing): string | null {
  return value === null || value === undefined ? null : value ? "Yes" : "No";
}

/** The label of a choice. */
export function formatChoice(
  value: string | Missing,
  options: readonly { value: string; label: string }[],
): string | null {
  return options.find((option) => option.value === value)?.label ?? value ?? null;
}

/** A moment as `<input type="datetime-local">` wants it: local, to the minute. */
export function toLocalInput(moment: string): string {
  const date = new Date(moment);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

export function fromLocalInput(local: string): string {
  return new Date(local).toISOString();
}
