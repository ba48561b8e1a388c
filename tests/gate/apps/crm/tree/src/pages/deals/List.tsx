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
import { formatChoice, formatMoney } from "../../format.ts";
import { trpc, type Outputs } from "../../trpc.ts";
import { stageOptions } from "./fields.ts";

type Row = Outputs["deals"]["list"]["rows"][number];

const pageSize = 50;

const columns: readonly Column<Row>[] = [
  { header: "Title", cell: (row) => row.title },
  { header: "Amount", cell: (row) => formatMoney(row.amount), align: "end" },
  { header: "Stage", cell: (row) => <Badge>{formatChoice(row.stage, stageOptions) ?? ""}</Badge> },
  { header: "Customer", cell: (row) => row.customerLabel },
];

export function DealListPage() {
  const [search, setSearch] = useState("");
  const [stage, setStage] = useState<(typeof stageOptions)[number]["value"]>();
  const [customerId, setCustomerId] = useState<string>();
  const [limit, setLimit] = useState(pageSize);
  const customerIdQuery = useQuery(trpc.customers.list.queryOptions({ limit: 1_000 }));
  const list = useQuery(
    trpc.deals.list.queryOptions(
      { search: search || undefined, stage, customerId: customerId ? Number(customerId) : undefined, limit },
      { placeholderData: (previous) => previous },
    ),
  );
  const removal = useMutation(trpc.deals.delete.mutationOptions());
  const filtered = search !== "" || stage !== undefined || customerId !== undefined;
  return (
    <>
      <PageHeader title="Deals">
        <Link href="/deals/new" className="button button-primary">
          New deal
        </Link>
      </PageHeader>
      <Toolbar>
        <SearchBox value={search} onChange={setSearch} />
        <FilterSelect
          label="Stage"
          value={stage}
          options={stageOptions}
          onChange={setStage}
        />
        <FilterSelect
          label="Customer"
          value={customerId}
          options={(customerIdQuery.data?.rows ?? []).map((row) => ({ value: String(row.id), label: String(row.name) }))}
          onChange={setCustomerId}
        />
      </Toolbar>
      {removal.error && <ErrorState error={removal.error} />}
      <Loaded query={list}>
        {({ rows, total }) =>
          rows.length === 0 ? (
            <EmptyState title={filtered ? "Nothing matches the search and filters." : "No deals yet."}>
              {!filtered && (
                <Link href="/deals/new" className="button">
                  Create the first deal
                </Link>
              )}
            </EmptyState>
          ) : (
            <>
              <DataTable
                caption="Deals"
                columns={columns}
                rows={rows}
                actions={(row) => (
                  <>
                    <Link href={`/deals/${row.id}/edit`} className="button button-quiet">
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
