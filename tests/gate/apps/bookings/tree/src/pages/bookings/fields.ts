// The form of bookings: which fields, of which kind.
import { useQuery } from "@tanstack/react-query";
import type { FieldSpec } from "../../forms.ts";
import { trpc, type Inputs } from "../../trpc.ts";

export type BookingValues = Inputs["bookings"]["create"];

export function useBookingFields(): FieldSpec<keyof BookingValues & string>[] {
  const roomIdQuery = useQuery(trpc.rooms.list.queryOptions({ limit: 1_000 }));
  return [
    { name: "guest", label: "Guest", kind: "text", required: true },
    { name: "email", label: "Email", kind: "email" },
    { name: "startDate", label: "Start date", kind: "date" },
    { name: "endDate", label: "End date", kind: "date" },
    { name: "notes", label: "Notes", kind: "longText" },
    {
      name: "roomId",
      label: "Room",
      kind: "reference",
      required: true,
      hint: roomIdQuery.data?.rows.length === 0 ? "There is no room yet: create one first." : undefined,
      options: (roomIdQuery.data?.rows ?? []).map((row) => ({ value: row.id, label: String(row.name) })),
    },
  ];
}
