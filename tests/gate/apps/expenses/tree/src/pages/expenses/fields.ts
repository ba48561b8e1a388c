// The form of expenses: which fields, of which kind.
import type { FieldSpec } from "../../forms.ts";
import type { Inputs } from "../../trpc.ts";

export type ExpenseValues = Inputs["expenses"]["create"];

export const categoryOptions = [
  { value: "travel", label: "Travel" },
  { value: "food", label: "Food" },
  { value: "office", label: "Office" },
] as const;

export function useExpenseFields(): FieldSpec<keyof ExpenseValues & string>[] {
  return [
    { name: "title", label: "Title", kind: "text", required: true },
    { name: "amount", label: "Amount", kind: "money" },
    { name: "category", label: "Category", kind: "choice", required: true, options: categoryOptions },
    { name: "spentOnDate", label: "Spent on date", kind: "date" },
    { name: "reimbursed", label: "Reimbursed", kind: "text" },
  ];
}
