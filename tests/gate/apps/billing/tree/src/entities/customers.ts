// What several pages need to know of customers: the choices, and customers as choices.
import { useQuery } from "@tanstack/react-query";
import { trpc } from "../trpc.ts";

export const statusOptions = [
  { value: "lead", label: "Lead" },
  { value: "active", label: "Active" },
  { value: "former", label: "Former" },
] as const;

export function useCustomerOptions(): { value: string; label: string }[] {
  const { data } = useQuery(trpc.customers.list.queryOptions({ limit: 1_000 }));
  return (data?.rows ?? []).map((row) => ({ value: String(row.id), label: row.name }));
}
