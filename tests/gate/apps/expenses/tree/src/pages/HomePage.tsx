import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { Loaded } from "../components/Loaded.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { appTitle } from "../navigation.ts";
import { trpc } from "../trpc.ts";
import "./home.css";

export function HomePage() {
  const expensesQuery = useQuery(trpc.expenses.list.queryOptions({ limit: 3 }));
  return (
    <>
      <PageHeader title={appTitle} description="Everything at a glance." />
      <ul className="card-grid home-grid">
        <li className="card home-card">
          <h2>
            <Link href="/expenses">Expenses</Link>
          </h2>
          <Loaded query={expensesQuery}>
            {({ total, rows }) => (
              <>
                <p className="stat">{total}</p>
                {rows.length === 0 && <p className="muted">No expenses yet.</p>}
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
          <Link href="/expenses/new" className="button">
            New expense
          </Link>
        </li>
      </ul>
    </>
  );
}
