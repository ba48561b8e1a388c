import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { Badge } from "../components/Badge.tsx";
import { ConfirmButton } from "../components/ConfirmButton.tsx";
import { DataTable, type Column } from "../components/DataTable.tsx";
import { EmptyState } from "../components/EmptyState.tsx";
import { ErrorState } from "../components/ErrorState.tsx";
import { ListFooter } from "../components/ListFooter.tsx";
import { Loaded } from "../components/Loaded.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { FilterSelect, SearchBox, Toolbar } from "../components/Toolbar.tsx";
import { statusOptions } from "../entities/customers.ts";
import { formatBoolean, formatChoice } from "../format.ts";
import { trpc, type Outputs } from "../trpc.ts";

type Customer = Outputs["customers"]["list"]["rows"][number];

const columns: readonly Column<Customer>[] = [
  { header: "Name", cell: (row) => <Link href={`/customers/${row.id}`}>{row.name}</Link> },
  { header: "E-mail", cell: (row) => row.email && <a href={`mailto:${row.email}`}>{row.email}</a> },
  { header: "Website", cell: (row) => row.website && <a href={row.website}>{row.website}</a> },
  { header: "Status", cell: (row) => <Badge>{formatChoice(row.status, statusOptions) ?? ""}</Badge> },
  { header: "Newsletter", cell: (row) => formatBoolean(row.newsletter) },
];

export function CustomersPage() {
  const [search, setSearch] = useState("");
  const [status, setStatus] = useState<Customer["status"]>();
  const [limit, setLimit] = useState(50);
  const list = useQuery(
    trpc.customers.list.queryOptions({ search, status, limit }, { placeholderData: keepPreviousData }),
  );
  const remove = useMutation(trpc.customers.remove.mutationOptions());
  const filtered = search !== "" || status !== undefined;
  return (
    <>
      <PageHeader title="Customers" description="Everyone you do business with.">
        <Link href="/customers/new" className="button button-primary">
          Add customer
        </Link>
      </PageHeader>
      <Toolbar>
        <SearchBox value={search} onChange={setSearch} />
        <FilterSelect label="Status" value={status} options={statusOptions} onChange={setStatus} />
      </Toolbar>
      {remove.error && <ErrorState error={remove.error} />}
      <Loaded query={list}>
        {({ rows, total }) =>
          rows.length === 0 ? (
            <EmptyState title={filtered ? "No customer matches." : "No customers yet."}>
              <p>{filtered ? "Try other words, or clear the filter." : "Add the first one to begin."}</p>
            </EmptyState>
          ) : (
            <>
              <DataTable
                caption="Customers"
                columns={columns}
                rows={rows}
                actions={(row) => (
                  <>
                    <Link href={`/customers/${row.id}`} className="button" aria-label={`Edit ${row.name}`}>
                      Edit
                    </Link>
                    <ConfirmButton
                      label="Delete"
                      question={`Delete ${row.name}?`}
                      disabled={remove.isPending}
                      onConfirm={() => remove.mutate({ id: row.id })}
                    />
                  </>
                )}
              />
              <ListFooter shown={rows.length} total={total} onMore={() => setLimit(limit + 50)} />
            </>
          )
        }
      </Loaded>
    </>
  );
}
