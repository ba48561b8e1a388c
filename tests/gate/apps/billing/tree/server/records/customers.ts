import { query, queryPage, type Page } from "../db.ts";

export const customerStatuses = ["lead", "active", "former"] as const;
export type CustomerStatus = (typeof customerStatuses)[number];

export interface NewCustomer {
  name: string;
  email: string | null;
  website: string | null;
  status: CustomerStatus;
  newsletter: boolean;
  notes: string | null;
}

export interface Customer extends NewCustomer {
  id: number;
  created_at: string;
}

export interface CustomerFilter {
  search?: string;
  status?: CustomerStatus;
  limit: number;
}

export function listCustomers(filter: CustomerFilter): Promise<Page<Customer>> {
  return queryPage<Customer>(
    `select * from customers
     where ($1::text is null or strpos(lower(concat_ws(' ', name, email, notes)), lower($1)) > 0)
       and ($2::text is null or status = $2)
     order by lower(name), id`,
    [filter.search || null, filter.status ?? null],
    filter.limit,
  );
}

export async function getCustomer(id: number): Promise<Customer | undefined> {
  const [row] = await query<Customer>("select * from customers where id = $1", [id]);
  return row;
}

export async function createCustomer(values: NewCustomer): Promise<Customer | undefined> {
  const [row] = await query<Customer>(
    `insert into customers (name, email, website, status, newsletter, notes)
     values ($1, $2, $3, $4, $5, $6) returning *`,
    [values.name, values.email, values.website, values.status, values.newsletter, values.notes],
  );
  return row;
}

export async function updateCustomer(id: number, values: NewCustomer): Promise<Customer | undefined> {
  const [row] = await query<Customer>(
    `update customers set name = $2, email = $3, website = $4, status = $5, newsletter = $6, notes = $7
     where id = $1 returning *`,
    [id, values.name, values.email, values.website, values.status, values.newsletter, values.notes],
  );
  return row;
}

export async function removeCustomer(id: number): Promise<{ id: number } | undefined> {
  const [row] = await query<{ id: number }>("delete from customers where id = $1 returning id", [id]);
  return row;
}
