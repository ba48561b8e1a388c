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
import { formatChoice, formatDate, formatMoney } from "../../format.ts";
import { trpc, type Outputs } from "../../trpc.ts";
import { categoryOptions } from "./fields.ts";

type Row = Outputs["expenses"]["list"]["rows"][number];

const pageSize = 50;

const columns: readonly Column<Row>[] = [
  { header: "Title", cell: (row) => row.title },
  { header: "Amount", cell: (row) => formatMoney(row.amount), align: "end" },
  { header: "Category", cell: (row) => <Badge>{formatChoice(row.category, categoryOptions) ?? ""}</Badge> },
  { header: "Spent on date", cell: (row) => formatDate(row.spentOnDate) },
  { header: "Reimbursed", cell: (row) => row.reimbursed },
];

export function ExpenseListPage() {
  const [search, setSearch] = useState("");
  const [category, setCategory] = useState<(typeof categoryOptions)[number]["value"]>();
  const [limit, setLimit] = useState(pageSize);
  const list = useQuery(
    trpc.expenses.list.queryOptions(
      { search: search || undefined, category, limit },
      { placeholderData: (previous) => previous },
    ),
  );
  const removal = useMutation(trpc.expenses.delete.mutationOptions());
  const filtered = search !== "" || category !== undefined;
  return (
    <>
      <PageHeader title="Expenses">
        <Link href="/expenses/new" className="button button-primary">
          New expense
        </Link>
      </PageHeader>
      <Toolbar>
        <SearchBox value={search} onChange={setSearch} />
        <FilterSelect
          label="Category"
          value={category}
          options={categoryOptions}
          onChange={setCategory}
        />
      </Toolbar>
      {removal.error && <ErrorState error={removal.error} />}
      <Loaded query={list}>
        {({ rows, total }) =>
          rows.length === 0 ? (
            <EmptyState title={filtered ? "Nothing matches the search and filters." : "No expenses yet."}>
              {!filtered && (
                <Link href="/expenses/new" className="button">
                  Create the first expense
                </Link>
              )}
            </EmptyState>
          ) : (
            <>
              <DataTable
                caption="Expenses"
                columns={columns}
                rows={rows}
                actions={(row) => (
                  <>
                    <Link href={`/expenses/${row.id}/edit`} className="button button-quiet">
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
