// Valid records for the tests; what a record points at is created with it.
import { api } from "./database.ts";

export async function exampleExpense() {
  return {
    title: "Title 1",
    amount: "19.90",
    category: "travel" as const,
    spentOnDate: "2026-01-15",
    reimbursed: "Reimbursed 1",
  };
}

export async function addExpense() {
  return api.expenses.create(await exampleExpense());
}
