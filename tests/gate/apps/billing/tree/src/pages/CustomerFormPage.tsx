import { useMutation, useQuery } from "@tanstack/react-query";
import { useLocation, useParams } from "wouter";
import { Loaded } from "../components/Loaded.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { RecordForm } from "../components/RecordForm.tsx";
import { statusOptions } from "../entities/customers.ts";
import type { FieldSpec } from "../forms.ts";
import { trpc, type Inputs } from "../trpc.ts";

type Values = Inputs["customers"]["create"];

const fields: readonly FieldSpec<keyof Values>[] = [
  { name: "name", label: "Name", kind: "text", required: true },
  { name: "email", label: "E-mail", kind: "email" },
  { name: "website", label: "Website", kind: "url" },
  { name: "status", label: "Status", kind: "choice", required: true, options: statusOptions },
  { name: "newsletter", label: "Wants the newsletter", kind: "boolean" },
  { name: "notes", label: "Notes", kind: "longText" },
];

export function NewCustomerPage() {
  const [, navigate] = useLocation();
  const create = useMutation(
    trpc.customers.create.mutationOptions({ onSuccess: () => navigate("/customers") }),
  );
  return (
    <>
      <PageHeader title="Add customer" />
      <RecordForm<Values>
        fields={fields}
        initial={{ status: "lead" }}
        submitLabel="Add customer"
        cancelPath="/customers"
        saving={create}
        onSubmit={(values) => create.mutate(values)}
      />
    </>
  );
}

export function EditCustomerPage() {
  const id = Number(useParams().id);
  const [, navigate] = useLocation();
  const customer = useQuery(trpc.customers.get.queryOptions({ id }, { gcTime: 0 }));
  const update = useMutation(
    trpc.customers.update.mutationOptions({ onSuccess: () => navigate("/customers") }),
  );
  return (
    <>
      <PageHeader title="Edit customer" />
      <Loaded query={customer}>
        {(row) => (
          <RecordForm<Values>
            key={row.id}
            fields={fields}
            initial={row}
            submitLabel="Save changes"
            cancelPath="/customers"
            saving={update}
            onSubmit={(values) => update.mutate({ ...values, id })}
          />
        )}
      </Loaded>
    </>
  );
}
