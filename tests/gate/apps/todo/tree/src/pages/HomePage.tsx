import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { Loaded } from "../components/Loaded.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { appTitle } from "../navigation.ts";
import { trpc } from "../trpc.ts";
import "./home.css";

export function HomePage() {
  const todosQuery = useQuery(trpc.todos.list.queryOptions({ limit: 3 }));
  return (
    <>
      <PageHeader title={appTitle} description="Everything at a glance." />
      <ul className="card-grid home-grid">
        <li className="card home-card">
          <h2>
            <Link href="/todos">Todos</Link>
          </h2>
          <Loaded query={todosQuery}>
            {({ total, rows }) => (
              <>
                <p className="stat">{total}</p>
                {rows.length === 0 && <p className="muted">No todos yet.</p>}
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
          <Link href="/todos/new" className="button">
            New todo
          </Link>
        </li>
      </ul>
    </>
  );
}
