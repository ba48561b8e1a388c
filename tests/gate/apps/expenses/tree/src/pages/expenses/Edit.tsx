import { useMutation, useQuery } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { Loaded } from "../../components/Loaded.tsx";
import { PageHeader } from "../../components/PageHeader.tsx";
import { RecordForm } from "../../components/RecordForm.tsx";
import { trpc } from "../../trpc.ts";
import { useExpenseFields, type ExpenseValues } from "./fields.ts";

export function EditExpensePage({ params }: { params: { id: string } }) {
  const id = Number(params.id);
  const [, navigate] = useLocation();
  const fields = useExpenseFields();
  const record = useQuery(trpc.expenses.get.queryOptions({ id }));
  const change = useMutation(
    trpc.expenses.update.mutationOptions({ onSuccess: () => navigate("/expenses") }),
  );
  return (
    <>
      <PageHeader title="Edit expense" />
      <Loaded query={record}>
        {(row) => (
          <RecordForm<ExpenseValues>
            fields={fields}
            initial={row}
            submitLabel="Save"
            cancelPath="/expenses"
            saving={change}
            onSubmit={(values) => change.mutate({ ...values, id })}
          />
        )}
      </Loaded>
    </>
  );
}
