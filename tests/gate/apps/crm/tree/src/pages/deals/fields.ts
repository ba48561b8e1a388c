// The form of deals: which fields, of which kind.
import { useQuery } from "@tanstack/react-query";
import type { FieldSpec } from "../../forms.ts";
import { trpc, type Inputs } from "../../trpc.ts";

export type DealValues = Inputs["deals"]["create"];

export const stageOptions = [
  { value: "lead", label: "Lead" },
  { value: "won", label: "Won" },
  { value: "lost", label: "Lost" },
] as const;

export function useDealFields(): FieldSpec<keyof DealValues & string>[] {
  const customerIdQuery = useQuery(trpc.customers.list.queryOptions({ limit: 1_000 }));
  return [
    { name: "title", label: "Title", kind: "text", required: true },
    { name: "amount", label: "Amount", kind: "money" },
    { name: "stage", label: "Stage", kind: "choice", required: true, options: stageOptions },
    {
      name: "customerId",
      label: "Customer",
      kind: "reference",
      required: true,
      hint: customerIdQuery.data?.rows.length === 0 ? "There is no customer yet: create one first." : undefined,
      options: (customerIdQuery.data?.rows ?? []).map((row) => ({ value: row.id, label: String(row.name) })),
    },
  ];
}
