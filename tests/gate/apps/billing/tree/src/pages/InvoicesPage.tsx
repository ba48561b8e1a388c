import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { ConfirmButton } from "../components/ConfirmButton.tsx";
import { DataTable, type Column } from "../components/DataTable.tsx";
import { EmptyState } from "../components/EmptyState.tsx";
import { ErrorState } from "../components/ErrorState.tsx";
import { ListFooter } from "../components/ListFooter.tsx";
import { Loaded } from "../components/Loaded.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { FilterSelect, SearchBox, Toolbar } from "../components/Toolbar.tsx";
import { useCustomerOptions } from "../entities/customers.ts";
import { formatDate, formatDateTime, formatMoney, formatNumber } from "../format.ts";
import { trpc, type Outputs } from "../trpc.ts";

type Invoice = Outputs["invoices"]["list"]["rows"][number];

const columns: readonly Column<Invoice>[] = [
  { header: "Number", cell: (row) => <Link href={`/invoices/${row.id}`}>{row.number}</Link> },
  { header: "Customer", cell: (row) => <Link href={`/customers/${row.customer_id}`}>{row.customer_name}</Link> },
  { header: "Amount", align: "end", cell: (row) => formatMoney(row.amount) },
  { header: "Hours", align: "end", cell: (row) => formatNumber(row.hours) },
  { header: "Items", align: "end", cell: (row) => formatNumber(row.items) },
  { header: "Due on", cell: (row) => formatDate(row.due_on) },
  { header: "Sent at", cell: (row) => formatDateTime(row.sent_at) },
];

export function InvoicesPage() {
  const [search, setSearch] = useState("");
  const [customerId, setCustomerId] = useState<string>();
  const [limit, setLimit] = useState(50);
  const customerOptions = useCustomerOptions();
  const list = useQuery(
    trpc.invoices.list.queryOptions(
      { search, customer_id: customerId === undefined ? undefined : Number(customerId), limit },
      { placeholderData: keepPreviousData },
    ),
  );
  const remove = useMutation(trpc.invoices.remove.mutationOptions());
  const filtered = search !== "" || customerId !== undefined;
  return (
    <>
      <PageHeader title="Invoices" description="What was billed, to whom, and when it is due.">
        <Link href="/invoices/new" className="button button-primary">
          Add invoice
        </Link>
      </PageHeader>
      <Toolbar>
        <SearchBox value={search} onChange={setSearch} />
        <FilterSelect label="Customer" value={customerId} options={customerOptions} onChange={setCustomerId} />
      </Toolbar>
      {remove.error && <ErrorState error={remove.error} />}
      <Loaded query={list}>
        {({ rows, total }) =>
          rows.length === 0 ? (
            <EmptyState title={filtered ? "No invoice matches." : "No invoices yet."}>
              <p>{filtered ? "Try other words, or clear the filter." : "Add the first one to begin."}</p>
            </EmptyState>
          ) : (
            <>
              <DataTable
                caption="Invoices"
                columns={columns}
                rows={rows}
                actions={(row) => (
                  <>
                    <Link href={`/invoices/${row.id}`} className="button" aria-label={`Edit ${row.number}`}>
                      Edit
                    </Link>
                    <ConfirmButton
                      label="Delete"
                      question={`Delete ${row.number}?`}
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
