import { useMutation } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { PageHeader } from "../../components/PageHeader.tsx";
import { RecordForm } from "../../components/RecordForm.tsx";
import { trpc } from "../../trpc.ts";
import { useCustomerFields, type CustomerValues } from "./fields.ts";

export function NewCustomerPage() {
  const [, navigate] = useLocation();
  const fields = useCustomerFields();
  const creation = useMutation(
    trpc.customers.create.mutationOptions({ onSuccess: () => navigate("/customers") }),
  );
  return (
    <>
      <PageHeader title="New customer" />
      <RecordForm<CustomerValues>
        fields={fields}
        initial={{}}
        submitLabel="Create"
        cancelPath="/customers"
        saving={creation}
        onSubmit={(values) => creation.mutate(values)}
      />
    </>
  );
}
