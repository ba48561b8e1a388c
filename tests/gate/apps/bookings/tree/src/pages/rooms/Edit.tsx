import { useMutation, useQuery } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { Loaded } from "../../components/Loaded.tsx";
import { PageHeader } from "../../components/PageHeader.tsx";
import { RecordForm } from "../../components/RecordForm.tsx";
import { trpc } from "../../trpc.ts";
import { useRoomFields, type RoomValues } from "./fields.ts";

export function EditRoomPage({ params }: { params: { id: string } }) {
  const id = Number(params.id);
  const [, navigate] = useLocation();
  const fields = useRoomFields();
  const record = useQuery(trpc.rooms.get.queryOptions({ id }));
  const change = useMutation(
    trpc.rooms.update.mutationOptions({ onSuccess: () => navigate("/rooms") }),
  );
  return (
    <>
      <PageHeader title="Edit room" />
      <Loaded query={record}>
        {(row) => (
          <RecordForm<RoomValues>
            fields={fields}
            initial={row}
            submitLabel="Save"
            cancelPath="/rooms"
            saving={change}
            onSubmit={(values) => change.mutate({ ...values, id })}
          />
        )}
      </Loaded>
    </>
  );
}
