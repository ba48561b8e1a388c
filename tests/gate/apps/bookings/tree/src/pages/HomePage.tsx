import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { Loaded } from "../components/Loaded.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { appTitle } from "../navigation.ts";
import { trpc } from "../trpc.ts";
import "./home.css";

export function HomePage() {
  const roomsQuery = useQuery(trpc.rooms.list.queryOptions({ limit: 3 }));
  const bookingsQuery = useQuery(trpc.bookings.list.queryOptions({ limit: 3 }));
  return (
    <>
      <PageHeader title={appTitle} description="Everything at a glance." />
      <ul className="card-grid home-grid">
        <li className="card home-card">
          <h2>
            <Link href="/rooms">Rooms</Link>
          </h2>
          <Loaded query={roomsQuery}>
            {({ total, rows }) => (
              <>
                <p className="stat">{total}</p>
                {rows.length === 0 && <p className="muted">No rooms yet.</p>}
                {rows.length > 0 && (
                  <ul className="home-rows">
                    {rows.map((row) => (
                      <li key={row.id}>{String(row.name)}</li>
                    ))}
                  </ul>
                )}
              </>
            )}
          </Loaded>
          <Link href="/rooms/new" className="button">
            New room
          </Link>
        </li>
        <li className="card home-card">
          <h2>
            <Link href="/bookings">Bookings</Link>
          </h2>
          <Loaded query={bookingsQuery}>
            {({ total, rows }) => (
              <>
                <p className="stat">{total}</p>
                {rows.length === 0 && <p className="muted">No bookings yet.</p>}
                {rows.length > 0 && (
                  <ul className="home-rows">
                    {rows.map((row) => (
                      <li key={row.id}>{String(row.guest)}</li>
                    ))}
                  </ul>
                )}
              </>
            )}
          </Loaded>
          <Link href="/bookings/new" className="button">
            New booking
          </Link>
        </li>
      </ul>
    </>
  );
}
