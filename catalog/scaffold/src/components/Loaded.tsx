import type { ReactNode } from "react";
import { ErrorState } from "./ErrorState.tsx";

interface LoadedProps<Data> {
  /** What `useQuery` returns. */
  query: { data: Data | undefined; error: { message: string } | null; refetch: () => unknown };
  children: (data: Data) => ReactNode;
}

/** Waits for a query, shows its error with a way to retry, then its data. */
export function Loaded<Data>({ query, children }: LoadedProps<Data>) {
  if (query.error) return <ErrorState error={query.error} retry={() => query.refetch()} />;
  if (query.data !== undefined) return children(query.data);
  return (
    <p className="loading" role="status">
      Loading…
    </p>
  );
}
