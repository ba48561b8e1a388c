import { useMutation, useQuery } from "@tanstack/react-query";
import { useLocation, useParams } from "wouter";
import { Loaded } from "../components/Loaded.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { RecordForm } from "../components/RecordForm.tsx";
import { useCustomerOptions } from "../entities/customers.ts";
import type { FieldSpec } from "../forms.ts";
import { trpc, type Inputs } from "../trpc.ts";

type Values = Inputs["invoices"]["create"];

function useFields(): readonly FieldSpec<keyof Values>[] {
  const customerOptions = useCustomerOptions();
  return [
    { name: "customer_id", label: "Customer", kind: "reference", required: true, options: customerOptions },
    { name: "number", label: "Number", kind: "text", required: true, max: 40 },
    { name: "amount", label: "Amount", kind: "money", required: true, min: 0 },
    { name: "hours", label: "Hours", kind: "decimal" },
    { name: "items", label: "Items", kind: "integer", required: true, min: 1 },
    { name: "due_on", label: "Due on", kind: "date", required: true },
    { name: "sent_at", label: "Sent at", kind: "dateTime" },
  ];
}

export function NewInvoicePage() {
  const fields = useFields();
  const [, navigate] = useLocation();
  const create = useMutation(
    trpc.invoices.create.mutationOptions({ onSuccess: () => navigate("/invoices") }),
  );
  return (
    <>
      <PageHeader title="Add invoice" />
      <RecordForm<Values>
        fields={fields}
        initial={{ items: 1 }}
        submitLabel="Add invoice"
        cancelPath="/invoices"
        saving={create}
        onSubmit={(values) => create.mutate(values)}
      />
    </>
  );
}

export function EditInvoicePage() {
  const fields = useFields();
  const id = Number(useParams().id);
  const [, navigate] = useLocation();
  const invoice = useQuery(trpc.invoices.get.queryOptions({ id }, { gcTime: 0 }));
  const update = useMutation(
    trpc.invoices.update.mutationOptions({ onSuccess: () => navigate("/invoices") }),
  );
  return (
    <>
      <PageHeader title="Edit invoice" />
      <Loaded query={invoice}>
        {(row) => (
          <RecordForm<Values>
            key={row.id}
            fields={fields}
            initial={row}
            submitLabel="Save changes"
            cancelPath="/invoices"
            saving={update}
            onSubmit={(values) => update.mutate({ ...values, id })}
          />
        )}
      </Loaded>
    </>
  );
}
