// Todos in the database.
import { query, queryPage, type Page } from "../db.ts";
import { containing } from "../search.ts";

export interface Todo {
  id: number;
  title: string;
  description: string | null;
  done: boolean;
  priority: "low" | "medium" | "high";
  dueDate: string | null;
  createdAt: string;
}

/** What a person enters. */
export interface TodoValues {
  title: string;
  description: string | null;
  done: boolean;
  priority: "low" | "medium" | "high";
  dueDate: string | null;
}

/** A filter that is left out leaves everything in. */
export interface TodoFilter {
  search?: string;
  done?: boolean;
  priority?: "low" | "medium" | "high";
  limit: number;
}

const select = `
  select todos.id,
         todos.title,
         todos.description,
         todos.done,
         todos.priority,
         todos.due_date as "dueDate",
         todos.created_at as "createdAt"
  from todos`;

export function listTodos(filter: TodoFilter): Promise<Page<Todo>> {
  return queryPage<Todo>(
    `${select}
  where ($1::text is null or todos.title ilike $1 or todos.description ilike $1)
    and ($2::boolean is null or todos.done = $2::boolean)
    and ($3::text is null or todos.priority = $3::text)
  order by todos.created_at desc, todos.id desc`,
    [containing(filter.search), filter.done ?? null, filter.priority ?? null],
    filter.limit,
  );
}

export async function getTodo(id: number): Promise<Todo | undefined> {
  const [row] = await query<Todo>(`${select} where todos.id = $1`, [id]);
  return row;
}

export async function createTodo(values: TodoValues): Promise<Todo | undefined> {
  const [created] = await query<{ id: number }>(
    `insert into todos (title, description, done, priority, due_date)
     values ($1, $2, $3, $4, $5) returning id`,
    [values.title, values.description, values.done, values.priority, values.dueDate],
  );
  return created && getTodo(created.id);
}

export async function updateTodo(id: number, values: TodoValues): Promise<Todo | undefined> {
  const [updated] = await query<{ id: number }>(
    `update todos
     set title = $2, description = $3, done = $4, priority = $5, due_date = $6
     where id = $1 returning id`,
    [id, values.title, values.description, values.done, values.priority, values.dueDate],
  );
  return updated && getTodo(updated.id);
}

export async function deleteTodo(id: number): Promise<{ id: number } | undefined> {
  const [row] = await query<{ id: number }>("delete from todos where id = $1 returning id", [id]);
  return row;
}
