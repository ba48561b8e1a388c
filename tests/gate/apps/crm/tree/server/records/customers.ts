// Customers in the database.
import { query, queryPage, type Page } from "../db.ts";
import { containing } from "../search.ts";

export interface Customer {
  id: number;
  name: string;
  email: string | null;
  phone: string | null;
  createdAt: string;
}

/** What a person enters. */
export interface CustomerValues {
  name: string;
  email: string | null;
  phone: string | null;
}

/** A filter that is left out leaves everything in. */
export interface CustomerFilter {
  search?: string;
  limit: number;
}

const select = `
  select customers.id,
         customers.name,
         customers.email,
         customers.phone,
         customers.created_at as "createdAt"
  from customers`;

export function listCustomers(filter: CustomerFilter): Promise<Page<Customer>> {
  return queryPage<Customer>(
    `${select}
  where ($1::text is null or customers.name ilike $1 or customers.email ilike $1 or customers.phone ilike $1)
  order by customers.created_at desc, customers.id desc`,
    [containing(filter.search)],
    filter.limit,
  );
}

export async function getCustomer(id: number): Promise<Customer | undefined> {
  const [row] = await query<Customer>(`${select} where customers.id = $1`, [id]);
  return row;
}

export async function createCustomer(values: CustomerValues): Promise<Customer | undefined> {
  const [created] = await query<{ id: number }>(
    `insert into customers (name, email, phone)
     values ($1, $2, $3) returning id`,
    [values.name, values.email, values.phone],
  );
  return created && getCustomer(created.id);
}

export async function updateCustomer(id: number, values: CustomerValues): Promise<Customer | undefined> {
  const [updated] = await query<{ id: number }>(
    `update customers
     set name = $2, email = $3, phone = $4
     where id = $1 returning id`,
    [id, values.name, values.email, values.phone],
  );
  return updated && getCustomer(updated.id);
}

export async function deleteCustomer(id: number): Promise<{ id: number } | undefined> {
  const [row] = await query<{ id: number }>("delete from customers where id = $1 returning id", [id]);
  return row;
}
