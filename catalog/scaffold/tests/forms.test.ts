import { expect, test } from "vitest";
import { formatDate, formatMoney } from "../src/format.ts";
import { toTyped, toValue } from "../src/forms.ts";

test("what is typed becomes what the server takes", () => {
  expect(toValue("text", "  Ada ")).toBe("Ada");
  expect(toValue("integer", "7")).toBe(7);
  expect(toValue("reference", "12")).toBe(12);
  expect(toValue("money", "12.50")).toBe("12.50");
  expect(toValue("boolean", false)).toBe(false);
  expect(toValue("date", "")).toBeNull();
});

test("a moment survives the form unchanged", () => {
  const moment = "2026-01-31T09:30:00.000Z";
  expect(toValue("dateTime", toTyped("dateTime", moment))).toBe(moment);
  expect(toTyped("dateTime", null)).toBe("");
});

test("amounts and days are formatted without losing a digit or a day", () => {
  expect(formatMoney("90071992547409.93")).toContain("409.93");
  expect(formatDate("2026-03-01")).toContain("1");
  expect(formatDate("2026-03-01")).toContain("2026");
  expect(formatMoney(null)).toBeNull();
});
