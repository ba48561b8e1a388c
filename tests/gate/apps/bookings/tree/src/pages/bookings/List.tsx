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
import { FilterSelect, SearchBox, Toolbar } from "../../components/Toolbar.tsx";
import { formatDate } from "../../format.ts";
import { trpc, type Outputs } from "../../trpc.ts";

type Row = Outputs["bookings"]["list"]["rows"][number];

const pageSize = 50;

const columns: readonly Column<Row>[] = [
  { header: "Guest", cell: (row) => row.guest },
  { header: "Email", cell: (row) => row.email && <a href={`mailto:${row.email}`}>{row.email}</a> },
  { header: "Start date", cell: (row) => formatDate(row.startDate) },
  { header: "End date", cell: (row) => formatDate(row.endDate) },
  { header: "Room", cell: (row) => row.roomLabel },
];

export function BookingListPage() {
  const [search, setSearch] = useState("");
  const [roomId, setRoomId] = useState<string>();
  const [limit, setLimit] = useState(pageSize);
  const roomIdQuery = useQuery(trpc.rooms.list.queryOptions({ limit: 1_000 }));
  const list = useQuery(
    trpc.bookings.list.queryOptions(
      { search: search || undefined, roomId: roomId ? Number(roomId) : undefined, limit },
      { placeholderData: (previous) => previous },
    ),
  );
  const removal = useMutation(trpc.bookings.delete.mutationOptions());
  const filtered = search !== "" || roomId !== undefined;
  return (
    <>
      <PageHeader title="Bookings">
        <Link href="/bookings/new" className="button button-primary">
          New booking
        </Link>
      </PageHeader>
      <Toolbar>
        <SearchBox value={search} onChange={setSearch} />
        <FilterSelect
          label="Room"
          value={roomId}
          options={(roomIdQuery.data?.rows ?? []).map((row) => ({ value: String(row.id), label: String(row.name) }))}
          onChange={setRoomId}
        />
      </Toolbar>
      {removal.error && <ErrorState error={removal.error} />}
      <Loaded query={list}>
        {({ rows, total }) =>
          rows.length === 0 ? (
            <EmptyState title={filtered ? "Nothing matches the search and filters." : "No bookings yet."}>
              {!filtered && (
                <Link href="/bookings/new" className="button">
                  Create the first booking
                </Link>
              )}
            </EmptyState>
          ) : (
            <>
              <DataTable
                caption="Bookings"
                columns={columns}
                rows={rows}
                actions={(row) => (
                  <>
                    <Link href={`/bookings/${row.id}/edit`} className="button button-quiet">
                      Edit
                    </Link>
                    <ConfirmButton
                      label="Delete"
                      question={`Delete ${row.guest}?`}
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
