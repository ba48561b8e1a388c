import { query, queryPage, type Page } from "../db.ts";

export interface NewInvoice {
  customer_id: number;
  number: string;
  amount: string;
  hours: string | null;
  items: number;
  due_on: string;
  sent_at: string | null;
}

export interface Invoice extends NewInvoice {
  id: number;
  created_at: string;
}

/** A row of the list, with the name of what it points at. */
export interface ListedInvoice extends Invoice {
  customer_name: string;
}

export interface InvoiceFilter {
  search?: string;
  customer_id?: number;
  limit: number;
}

export function listInvoices(filter: InvoiceFilter): Promise<Page<ListedInvoice>> {
  return queryPage<ListedInvoice>(
    `select invoices.*, customers.name as customer_name
     from invoices left join customers on customers.id = invoices.customer_id
     where ($1::text is null or strpos(lower(invoices.number), lower($1)) > 0)
       and ($2::bigint is null or invoices.customer_id = $2)
     order by invoices.due_on desc, invoices.id desc`,
    [filter.search || null, filter.customer_id ?? null],
    filter.limit,
  );
}

export async function getInvoice(id: number): Promise<Invoice | undefined> {
  const [row] = await query<Invoice>("select * from invoices where id = $1", [id]);
  return row;
}

export async function createInvoice(values: NewInvoice): Promise<Invoice | undefined> {
  const [row] = await query<Invoice>(
    `insert into invoices (customer_id, number, amount, hours, items, due_on, sent_at)
     values ($1, $2, $3, $4, $5, $6, $7) returning *`,
    [values.customer_id, values.number, values.amount, values.hours, values.items, values.due_on, values.sent_at],
  );
  return row;
}

export async function updateInvoice(id: number, values: NewInvoice): Promise<Invoice | undefined> {
  const [row] = await query<Invoice>(
    `update invoices set customer_id = $2, number = $3, amount = $4, hours = $5, items = $6, due_on = $7,
       sent_at = $8
     where id = $1 returning *`,
    [id, values.customer_id, values.number, values.amount, values.hours, values.items, values.due_on, values.sent_at],
  );
  return row;
}

export async function removeInvoice(id: number): Promise<{ id: number } | undefined> {
  const [row] = await query<{ id: number }>("delete from invoices where id = $1 returning id", [id]);
  return row;
}
