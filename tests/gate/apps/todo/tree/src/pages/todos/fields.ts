// The form of todos: which fields, of which kind.
import type { FieldSpec } from "../../forms.ts";
import type { Inputs } from "../../trpc.ts";

export type TodoValues = Inputs["todos"]["create"];

export const priorityOptions = [
  { value: "low", label: "Low" },
  { value: "medium", label: "Medium" },
  { value: "high", label: "High" },
] as const;

export function useTodoFields(): FieldSpec<keyof TodoValues & string>[] {
  return [
    { name: "title", label: "Title", kind: "text", required: true },
    { name: "description", label: "Description", kind: "longText" },
    { name: "done", label: "Done", kind: "boolean", required: true },
    { name: "priority", label: "Priority", kind: "choice", required: true, options: priorityOptions },
    { name: "dueDate", label: "Due date", kind: "date" },
  ];
}
