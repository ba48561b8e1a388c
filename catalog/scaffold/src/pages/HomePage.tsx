import { EmptyState } from "../components/EmptyState.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { appTitle } from "../navigation.ts";

export function HomePage() {
  return (
    <>
      <PageHeader title={appTitle} />
      <EmptyState title="Nothing has been built here yet.">
        <p>Describe the app you want, and it will appear on this page.</p>
      </EmptyState>
    </>
  );
}
