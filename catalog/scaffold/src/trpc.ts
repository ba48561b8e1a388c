// The one way to the server: `useQuery(trpc.customers.list.queryOptions({}))`.
import { MutationCache, QueryClient } from "@tanstack/react-query";
import { createTRPCClient, httpLink, TRPCClientError } from "@trpc/client";
import type { inferRouterInputs, inferRouterOutputs } from "@trpc/server";
import { createTRPCOptionsProxy } from "@trpc/tanstack-react-query";
import type { AppRouter } from "../server/router.ts";

/** `Inputs["customers"]["create"]` is what that procedure takes, `Outputs[…]` what it gives. */
export type Inputs = inferRouterInputs<AppRouter>;
export type Outputs = inferRouterOutputs<AppRouter>;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // A refusal stays a refusal; only a server that could not be reached is asked again.
      retry: (failures, error) => failures < 2 && !answered(error),
    },
  },
  // After any change everything shown is asked for again, so that no page shows old data.
  mutationCache: new MutationCache({
    onSuccess: () => queryClient.invalidateQueries(),
  }),
});

export const trpc = createTRPCOptionsProxy<AppRouter>({
  client: createTRPCClient<AppRouter>({ links: [httpLink({ url: "/trpc" })] }),
  queryClient,
});

function answered(error: unknown): boolean {
  return error instanceof TRPCClientError && error.data !== undefined && error.data !== null;
}

/** What the server says is wrong with single fields, by field name. */
export function fieldErrors(error: unknown): Record<string, string> {
  if (!(error instanceof TRPCClientError)) return {};
  const data = error.data as { fields?: Record<string, string> } | null | undefined;
  return data?.fields ?? {};
}
