import { Link } from "wouter";
import { EmptyState } from "../components/EmptyState.tsx";
import { PageHeader } from "../components/PageHeader.tsx";

export function NotFoundPage() {
  return (
    <>
      <PageHeader title="Page not found" />
      <EmptyState title="There is no page at this address.">
        <Link href="/" className="button">
          Go to the start
        </Link>
      </EmptyState>
    </>
  );
}
