import { useMutation } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { PageHeader } from "../../components/PageHeader.tsx";
import { RecordForm } from "../../components/RecordForm.tsx";
import { trpc } from "../../trpc.ts";
import { useDealFields, type DealValues } from "./fields.ts";

export function NewDealPage() {
  const [, navigate] = useLocation();
  const fields = useDealFields();
  const creation = useMutation(
    trpc.deals.create.mutationOptions({ onSuccess: () => navigate("/deals") }),
  );
  return (
    <>
      <PageHeader title="New deal" />
      <RecordForm<DealValues>
        fields={fields}
        initial={{ stage: "lead" }}
        submitLabel="Create"
        cancelPath="/deals"
        saving={creation}
        onSubmit={(values) => creation.mutate(values)}
      />
    </>
  );
}
