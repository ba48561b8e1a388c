// The form of rooms: which fields, of which kind.
import type { FieldSpec } from "../../forms.ts";
import type { Inputs } from "../../trpc.ts";

export type RoomValues = Inputs["rooms"]["create"];

export function useRoomFields(): FieldSpec<keyof RoomValues & string>[] {
  return [
    { name: "name", label: "Name", kind: "text", required: true },
    { name: "capacity", label: "Capacity", kind: "integer" },
  ];
}
