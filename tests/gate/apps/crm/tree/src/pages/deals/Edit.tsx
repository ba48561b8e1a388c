import { useMutation, useQuery } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { Loaded } from "../../components/Loaded.tsx";
import { PageHeader } from "../../components/PageHeader.tsx";
import { RecordForm } from "../../components/RecordForm.tsx";
import { trpc } from "../../trpc.ts";
import { useDealFields, type DealValues } from "./fields.ts";

export function EditDealPage({ params }: { params: { id: string } }) {
  const id = Number(params.id);
  const [, navigate] = useLocation();
  const fields = useDealFields();
  const record = useQuery(trpc.deals.get.queryOptions({ id }));
  const change = useMutation(
    trpc.deals.update.mutationOptions({ onSuccess: () => navigate("/deals") }),
  );
  return (
    <>
      <PageHeader title="Edit deal" />
      <Loaded query={record}>
        {(row) => (
          <RecordForm<DealValues>
            fields={fields}
            initial={row}
            submitLabel="Save"
            cancelPath="/deals"
            saving={change}
            onSubmit={(values) => change.mutate({ ...values, id })}
          />
        )}
      </Loaded>
    </>
  );
}
