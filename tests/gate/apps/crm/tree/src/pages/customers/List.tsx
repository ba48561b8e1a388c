import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { ConfirmButton } from "../../components/ConfirmButton.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { EmptyState } from "../../components/EmptyState.tsx";
import { ErrorState } from "../../components/ErrorState.tsx";
import { ListFooter } from "../../components/ListFooter.tsx";
import { Loaded } from "../../components/Loaded.tsx";
import { PageHeader } from "../../components/PageHeader.tsx";
import { SearchBox, Toolbar } from "../../components/Toolbar.tsx";
import { trpc, type Outputs } from "../../trpc.ts";

type Row = Outputs["customers"]["list"]["rows"][number];

const pageSize = 50;

const columns: readonly Column<Row>[] = [
  { header: "Name", cell: (row) => row.name },
  { header: "Email", cell: (row) => row.email && <a href={`mailto:${row.email}`}>{row.email}</a> },
  { header: "Phone", cell: (row) => row.phone },
];

export function CustomerListPage() {
  const [search, setSearch] = useState("");
  const [limit, setLimit] = useState(pageSize);
  const list = useQuery(
    trpc.customers.list.queryOptions(
      { search: search || undefined, limit },
      { placeholderData: (previous) => previous },
    ),
  );
  const removal = useMutation(trpc.customers.delete.mutationOptions());
  const filtered = search !== "";
  return (
    <>
      <PageHeader title="Customers">
        <Link href="/customers/new" className="button button-primary">
          New customer
        </Link>
      </PageHeader>
      <Toolbar>
        <SearchBox value={search} onChange={setSearch} />
      </Toolbar>
      {removal.error && <ErrorState error={removal.error} />}
      <Loaded query={list}>
        {({ rows, total }) =>
          rows.length === 0 ? (
            <EmptyState title={filtered ? "Nothing matches the search and filters." : "No customers yet."}>
              {!filtered && (
                <Link href="/customers/new" className="button">
                  Create the first customer
                </Link>
              )}
            </EmptyState>
          ) : (
            <>
              <DataTable
                caption="Customers"
                columns={columns}
                rows={rows}
                actions={(row) => (
                  <>
                    <Link href={`/customers/${row.id}/edit`} className="button button-quiet">
                      Edit
                    </Link>
                    <ConfirmButton
                      label="Delete"
                      question={`Delete ${row.name}?`}
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
