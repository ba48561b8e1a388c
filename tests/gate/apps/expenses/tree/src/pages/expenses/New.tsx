import { useMutation } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { PageHeader } from "../../components/PageHeader.tsx";
import { RecordForm } from "../../components/RecordForm.tsx";
import { trpc } from "../../trpc.ts";
import { useExpenseFields, type ExpenseValues } from "./fields.ts";

export function NewExpensePage() {
  const [, navigate] = useLocation();
  const fields = useExpenseFields();
  const creation = useMutation(
    trpc.expenses.create.mutationOptions({ onSuccess: () => navigate("/expenses") }),
  );
  return (
    <>
      <PageHeader title="New expense" />
      <RecordForm<ExpenseValues>
        fields={fields}
        initial={{ category: "travel" }}
        submitLabel="Create"
        cancelPath="/expenses"
        saving={creation}
        onSubmit={(values) => creation.mutate(values)}
      />
    </>
  );
}
