// Deals in the database.
import { query, queryPage, type Page } from "../db.ts";
import { containing } from "../search.ts";

export interface Deal {
  id: number;
  title: string;
  amount: string | null;
  stage: "lead" | "won" | "lost";
  customerId: number;
  customerLabel: string | null;
  createdAt: string;
}

/** What a person enters. */
export interface DealValues {
  title: string;
  amount: string | null;
  stage: "lead" | "won" | "lost";
  customerId: number;
}

/** A filter that is left out leaves everything in. */
export interface DealFilter {
  search?: string;
  stage?: "lead" | "won" | "lost";
  customerId?: number;
  limit: number;
}

const select = `
  select deals.id,
         deals.title,
         deals.amount,
         deals.stage,
         deals.customer_id as "customerId",
         customer_row.name::text as "customerLabel",
         deals.created_at as "createdAt"
  from deals
  left join customers as customer_row on customer_row.id = deals.customer_id`;

export function listDeals(filter: DealFilter): Promise<Page<Deal>> {
  return queryPage<Deal>(
    `${select}
  where ($1::text is null or deals.title ilike $1)
    and ($2::text is null or deals.stage = $2::text)
    and ($3::bigint is null or deals.customer_id = $3::bigint)
  order by deals.created_at desc, deals.id desc`,
    [containing(filter.search), filter.stage ?? null, filter.customerId ?? null],
    filter.limit,
  );
}

export async function getDeal(id: number): Promise<Deal | undefined> {
  const [row] = await query<Deal>(`${select} where deals.id = $1`, [id]);
  return row;
}

export async function createDeal(values: DealValues): Promise<Deal | undefined> {
  const [created] = await query<{ id: number }>(
    `insert into deals (title, amount, stage, customer_id)
     values ($1, $2, $3, $4) returning id`,
    [values.title, values.amount, values.stage, values.customerId],
  );
  return created && getDeal(created.id);
}

export async function updateDeal(id: number, values: DealValues): Promise<Deal | undefined> {
  const [updated] = await query<{ id: number }>(
    `update deals
     set title = $2, amount = $3, stage = $4, customer_id = $5
     where id = $1 returning id`,
    [id, values.title, values.amount, values.stage, values.customerId],
  );
  return updated && getDeal(updated.id);
}

export async function deleteDeal(id: number): Promise<{ id: number } | undefined> {
  const [row] = await query<{ id: number }>("delete from deals where id = $1 returning id", [id]);
  return row;
}
