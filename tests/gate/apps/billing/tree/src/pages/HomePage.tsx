import { Link } from "wouter";
import { PageHeader } from "../components/PageHeader.tsx";
import { appTitle, navigation } from "../navigation.ts";

export function HomePage() {
  return (
    <>
      <PageHeader title={appTitle} description="Customers and what they owe." />
      <ul className="card-grid">
        {navigation
          .filter(({ path }) => path !== "/")
          .map(({ path, label }) => (
            <li key={path}>
              <Link href={path} className="card card-link">
                {label}
              </Link>
            </li>
          ))}
      </ul>
    </>
  );
}
