import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { Badge } from "../../components/Badge.tsx";
import { ConfirmButton } from "../../components/ConfirmButton.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { EmptyState } from "../../components/EmptyState.tsx";
import { ErrorState } from "../../components/ErrorState.tsx";
import { ListFooter } from "../../components/ListFooter.tsx";
import { Loaded } from "../../components/Loaded.tsx";
import { PageHeader } from "../../components/PageHeader.tsx";
import { FilterSelect, SearchBox, Toolbar } from "../../components/Toolbar.tsx";
import { formatBoolean, formatChoice, formatDate } from "../../format.ts";
import { trpc, type Outputs } from "../../trpc.ts";
import { priorityOptions } from "./fields.ts";

type Row = Outputs["todos"]["list"]["rows"][number];

const pageSize = 50;

const columns: readonly Column<Row>[] = [
  { header: "Title", cell: (row) => row.title },
  { header: "Done", cell: (row) => formatBoolean(row.done) },
  { header: "Priority", cell: (row) => <Badge>{formatChoice(row.priority, priorityOptions) ?? ""}</Badge> },
  { header: "Due date", cell: (row) => formatDate(row.dueDate) },
];

export function TodoListPage() {
  const [search, setSearch] = useState("");
  const [done, setDone] = useState<"yes" | "no">();
  const [priority, setPriority] = useState<(typeof priorityOptions)[number]["value"]>();
  const [limit, setLimit] = useState(pageSize);
  const list = useQuery(
    trpc.todos.list.queryOptions(
      { search: search || undefined, done: done && done === "yes", priority, limit },
      { placeholderData: (previous) => previous },
    ),
  );
  const removal = useMutation(trpc.todos.delete.mutationOptions());
  const filtered = search !== "" || done !== undefined || priority !== undefined;
  return (
    <>
      <PageHeader title="Todos">
        <Link href="/todos/new" className="button button-primary">
          New todo
        </Link>
      </PageHeader>
      <Toolbar>
        <SearchBox value={search} onChange={setSearch} />
        <FilterSelect
          label="Done"
          value={done}
          options={[{ value: "yes", label: "Yes" }, { value: "no", label: "No" }]}
          onChange={setDone}
        />
        <FilterSelect
          label="Priority"
          value={priority}
          options={priorityOptions}
          onChange={setPriority}
        />
      </Toolbar>
      {removal.error && <ErrorState error={removal.error} />}
      <Loaded query={list}>
        {({ rows, total }) =>
          rows.length === 0 ? (
            <EmptyState title={filtered ? "Nothing matches the search and filters." : "No todos yet."}>
              {!filtered && (
                <Link href="/todos/new" className="button">
                  Create the first todo
                </Link>
              )}
            </EmptyState>
          ) : (
            <>
              <DataTable
                caption="Todos"
                columns={columns}
                rows={rows}
                actions={(row) => (
                  <>
                    <Link href={`/todos/${row.id}/edit`} className="button button-quiet">
                      Edit
                    </Link>
                    <ConfirmButton
                      label="Delete"
                      question={`Delete ${row.title}?`}
                      disabled={removal.isPending}
                      onConfirm={() => removal.mutate({ id: row.id })}
                    />
                  </>
                )}
              />
              <ListFooter shown={rows.length} total={total} onMore={() => setLimit(limit + pageSize)} />
            </>
          )
        }
      </Loaded>
    </>
  );
}
