import { useMutation, useQuery } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { Loaded } from "../../components/Loaded.tsx";
import { PageHeader } from "../../components/PageHeader.tsx";
import { RecordForm } from "../../components/RecordForm.tsx";
import { trpc } from "../../trpc.ts";
import { useCustomerFields, type CustomerValues } from "./fields.ts";

export function EditCustomerPage({ params }: { params: { id: string } }) {
  const id = Number(params.id);
  const [, navigate] = useLocation();
  const fields = useCustomerFields();
  const record = useQuery(trpc.customers.get.queryOptions({ id }));
  const change = useMutation(
    trpc.customers.update.mutationOptions({ onSuccess: () => navigate("/customers") }),
  );
  return (
    <>
      <PageHeader title="Edit customer" />
      <Loaded query={record}>
        {(row) => (
          <RecordForm<CustomerValues>
            fields={fields}
            initial={row}
            submitLabel="Save"
            cancelPath="/customers"
            saving={change}
            onSubmit={(values) => change.mutate({ ...values, id })}
          />
        )}
      </Loaded>
    </>
  );
}
