import { useMutation } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { PageHeader } from "../../components/PageHeader.tsx";
import { RecordForm } from "../../components/RecordForm.tsx";
import { trpc } from "../../trpc.ts";
import { useRoomFields, type RoomValues } from "./fields.ts";

export function NewRoomPage() {
  const [, navigate] = useLocation();
  const fields = useRoomFields();
  const creation = useMutation(
    trpc.rooms.create.mutationOptions({ onSuccess: () => navigate("/rooms") }),
  );
  return (
    <>
      <PageHeader title="New room" />
      <RecordForm<RoomValues>
        fields={fields}
        initial={{}}
        submitLabel="Create"
        cancelPath="/rooms"
        saving={creation}
        onSubmit={(values) => creation.mutate(values)}
      />
    </>
  );
}
