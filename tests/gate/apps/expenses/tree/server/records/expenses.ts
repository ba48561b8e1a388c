// Expenses in the database.
import { query, queryPage, type Page } from "../db.ts";
import { containing } from "../search.ts";

export interface Expense {
  id: number;
  title: string;
  amount: string | null;
  category: "travel" | "food" | "office";
  spentOnDate: string | null;
  reimbursed: string | null;
  createdAt: string;
}

/** What a person enters. */
export interface ExpenseValues {
  title: string;
  amount: string | null;
  category: "travel" | "food" | "office";
  spentOnDate: string | null;
  reimbursed: string | null;
}

/** A filter that is left out leaves everything in. */
export interface ExpenseFilter {
  search?: string;
  category?: "travel" | "food" | "office";
  limit: number;
}

const select = `
  select expenses.id,
         expenses.title,
         expenses.amount,
         expenses.category,
         expenses.spent_on_date as "spentOnDate",
         expenses.reimbursed,
         expenses.created_at as "createdAt"
  from expenses`;

export function listExpenses(filter: ExpenseFilter): Promise<Page<Expense>> {
  return queryPage<Expense>(
    `${select}
  where ($1::text is null or expenses.title ilike $1 or expenses.reimbursed ilike $1)
    and ($2::text is null or expenses.category = $2::text)
  order by expenses.created_at desc, expenses.id desc`,
    [containing(filter.search), filter.category ?? null],
    filter.limit,
  );
}

export async function getExpense(id: number): Promise<Expense | undefined> {
  const [row] = await query<Expense>(`${select} where expenses.id = $1`, [id]);
  return row;
}

export async function createExpense(values: ExpenseValues): Promise<Expense | undefined> {
  const [created] = await query<{ id: number }>(
    `insert into expenses (title, amount, category, spent_on_date, reimbursed)
     values ($1, $2, $3, $4, $5) returning id`,
    [values.title, values.amount, values.category, values.spentOnDate, values.reimbursed],
  );
  return created && getExpense(created.id);
}

export async function updateExpense(id: number, values: ExpenseValues): Promise<Expense | undefined> {
  const [updated] = await query<{ id: number }>(
    `update expenses
     set title = $2, amount = $3, category = $4, spent_on_date = $5, reimbursed = $6
     where id = $1 returning id`,
    [id, values.title, values.amount, values.category, values.spentOnDate, values.reimbursed],
  );
  return updated && getExpense(updated.id);
}

export async function deleteExpense(id: number): Promise<{ id: number } | undefined> {
  const [row] = await query<{ id: number }>("delete from expenses where id = $1 returning id", [id]);
  return row;
}
