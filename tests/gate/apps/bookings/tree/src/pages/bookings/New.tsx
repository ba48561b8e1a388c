import { useMutation } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { PageHeader } from "../../components/PageHeader.tsx";
import { RecordForm } from "../../components/RecordForm.tsx";
import { trpc } from "../../trpc.ts";
import { useBookingFields, type BookingValues } from "./fields.ts";

export function NewBookingPage() {
  const [, navigate] = useLocation();
  const fields = useBookingFields();
  const creation = useMutation(
    trpc.bookings.create.mutationOptions({ onSuccess: () => navigate("/bookings") }),
  );
  return (
    <>
      <PageHeader title="New booking" />
      <RecordForm<BookingValues>
        fields={fields}
        initial={{}}
        submitLabel="Create"
        cancelPath="/bookings"
        saving={creation}
        onSubmit={(values) => creation.mutate(values)}
      />
    </>
  );
}
