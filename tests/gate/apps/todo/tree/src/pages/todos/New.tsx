import { useMutation } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { PageHeader } from "../../components/PageHeader.tsx";
import { RecordForm } from "../../components/RecordForm.tsx";
import { trpc } from "../../trpc.ts";
import { useTodoFields, type TodoValues } from "./fields.ts";

export function NewTodoPage() {
  const [, navigate] = useLocation();
  const fields = useTodoFields();
  const creation = useMutation(
    trpc.todos.create.mutationOptions({ onSuccess: () => navigate("/todos") }),
  );
  return (
    <>
      <PageHeader title="New todo" />
      <RecordForm<TodoValues>
        fields={fields}
        initial={{ priority: "low" }}
        submitLabel="Create"
        cancelPath="/todos"
        saving={creation}
        onSubmit={(values) => creation.mutate(values)}
      />
    </>
  );
}
