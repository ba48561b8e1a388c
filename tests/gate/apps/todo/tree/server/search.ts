// Searching: what a person types is text, never a pattern.

/** For `ilike`: null (no condition) when nothing was typed. */
export function containing(typed: string | undefined): string | null {
  return typed ? `%${typed.replace(/[\\%_]/g, "\\$&")}%` : null;
}
