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
import { formatNumber } from "../../format.ts";
import { trpc, type Outputs } from "../../trpc.ts";

type Row = Outputs["rooms"]["list"]["rows"][number];

const pageSize = 50;

const columns: readonly Column<Row>[] = [
  { header: "Name", cell: (row) => row.name },
  { header: "Capacity", cell: (row) => formatNumber(row.capacity), align: "end" },
];

export function RoomListPage() {
  const [search, setSearch] = useState("");
  const [limit, setLimit] = useState(pageSize);
  const list = useQuery(
    trpc.rooms.list.queryOptions(
      { search: search || undefined, limit },
      { placeholderData: (previous) => previous },
    ),
  );
  const removal = useMutation(trpc.rooms.delete.mutationOptions());
  const filtered = search !== "";
  return (
    <>
      <PageHeader title="Rooms">
        <Link href="/rooms/new" className="button button-primary">
          New room
        </Link>
      </PageHeader>
      <Toolbar>
        <SearchBox value={search} onChange={setSearch} />
      </Toolbar>
      {removal.error && <ErrorState error={removal.error} />}
      <Loaded query={list}>
        {({ rows, total }) =>
          rows.length === 0 ? (
            <EmptyState title={filtered ? "Nothing matches the search and filters." : "No rooms yet."}>
              {!filtered && (
                <Link href="/rooms/new" className="button">
                  Create the first room
                </Link>
              )}
            </EmptyState>
          ) : (
            <>
              <DataTable
                caption="Rooms"
                columns={columns}
                rows={rows}
                actions={(row) => (
                  <>
                    <Link href={`/rooms/${row.id}/edit`} className="button button-quiet">
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
