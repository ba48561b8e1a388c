// The form of customers: which fields, of which kind.
import type { FieldSpec } from "../../forms.ts";
import type { Inputs } from "../../trpc.ts";

export type CustomerValues = Inputs["customers"]["create"];

export function useCustomerFields(): FieldSpec<keyof CustomerValues & string>[] {
  return [
    { name: "name", label: "Name", kind: "text", required: true },
    { name: "email", label: "Email", kind: "email" },
    { name: "phone", label: "Phone", kind: "text" },
  ];
}
