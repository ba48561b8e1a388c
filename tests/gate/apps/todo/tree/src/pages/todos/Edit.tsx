import { useMutation, useQuery } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { Loaded } from "../../components/Loaded.tsx";
import { PageHeader } from "../../components/PageHeader.tsx";
import { RecordForm } from "../../components/RecordForm.tsx";
import { trpc } from "../../trpc.ts";
import { useTodoFields, type TodoValues } from "./fields.ts";

export function EditTodoPage({ params }: { params: { id: string } }) {
  const id = Number(params.id);
  const [, navigate] = useLocation();
  const fields = useTodoFields();
  const record = useQuery(trpc.todos.get.queryOptions({ id }));
  const change = useMutation(
    trpc.todos.update.mutationOptions({ onSuccess: () => navigate("/todos") }),
  );
  return (
    <>
      <PageHeader title="Edit todo" />
      <Loaded query={record}>
        {(row) => (
          <RecordForm<TodoValues>
            fields={fields}
            initial={row}
            submitLabel="Save"
            cancelPath="/todos"
            saving={change}
            onSubmit={(values) => change.mutate({ ...values, id })}
          />
        )}
      </Loaded>
    </>
  );
}
