import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { Loaded } from "../components/Loaded.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { appTitle } from "../navigation.ts";
import { trpc } from "../trpc.ts";
import "./home.css";

export function HomePage() {
  const customersQuery = useQuery(trpc.customers.list.queryOptions({ limit: 3 }));
  const dealsQuery = useQuery(trpc.deals.list.queryOptions({ limit: 3 }));
  return (
    <>
      <PageHeader title={appTitle} description="Everything at a glance." />
      <ul className="card-grid home-grid">
        <li className="card home-card">
          <h2>
            <Link href="/customers">Customers</Link>
          </h2>
          <Loaded query={customersQuery}>
            {({ total, rows }) => (
              <>
                <p className="stat">{total}</p>
                {rows.length === 0 && <p className="muted">No customers yet.</p>}
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
          <Link href="/customers/new" className="button">
            New customer
          </Link>
        </li>
        <li className="card home-card">
          <h2>
            <Link href="/deals">Deals</Link>
          </h2>
          <Loaded query={dealsQuery}>
            {({ total, rows }) => (
              <>
                <p className="stat">{total}</p>
                {rows.length === 0 && <p className="muted">No deals yet.</p>}
                {rows.length > 0 && (
                  <ul className="home-rows">
                    {rows.map((row) => (
                      <li key={row.id}>{String(row.title)}</li>
                    ))}
                  </ul>
                )}
              </>
            )}
          </Loaded>
          <Link href="/deals/new" className="button">
            New deal
          </Link>
        </li>
      </ul>
    </>
  );
}
