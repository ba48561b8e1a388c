import { useMutation, useQuery } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { Loaded } from "../../components/Loaded.tsx";
import { PageHeader } from "../../components/PageHeader.tsx";
import { RecordForm } from "../../components/RecordForm.tsx";
import { trpc } from "../../trpc.ts";
import { useBookingFields, type BookingValues } from "./fields.ts";

export function EditBookingPage({ params }: { params: { id: string } }) {
  const id = Number(params.id);
  const [, navigate] = useLocation();
  const fields = useBookingFields();
  const record = useQuery(trpc.bookings.get.queryOptions({ id }));
  const change = useMutation(
    trpc.bookings.update.mutationOptions({ onSuccess: () => navigate("/bookings") }),
  );
  return (
    <>
      <PageHeader title="Edit booking" />
      <Loaded query={record}>
        {(row) => (
          <RecordForm<BookingValues>
            fields={fields}
            initial={row}
            submitLabel="Save"
            cancelPath="/bookings"
            saving={change}
            onSubmit={(values) => change.mutate({ ...values, id })}
          />
        )}
      </Loaded>
    </>
  );
}
