// Rooms in the database.
import { query, queryPage, type Page } from "../db.ts";
import { containing } from "../search.ts";

export interface Room {
  id: number;
  name: string;
  capacity: number | null;
  createdAt: string;
}

/** What a person enters. */
export interface RoomValues {
  name: string;
  capacity: number | null;
}

/** A filter that is left out leaves everything in. */
export interface RoomFilter {
  search?: string;
  limit: number;
}

const select = `
  select rooms.id,
         rooms.name,
         rooms.capacity,
         rooms.created_at as "createdAt"
  from rooms`;

export function listRooms(filter: RoomFilter): Promise<Page<Room>> {
  return queryPage<Room>(
    `${select}
  where ($1::text is null or rooms.name ilike $1)
  order by rooms.created_at desc, rooms.id desc`,
    [containing(filter.search)],
    filter.limit,
  );
}

export async function getRoom(id: number): Promise<Room | undefined> {
  const [row] = await query<Room>(`${select} where rooms.id = $1`, [id]);
  return row;
}

export async function createRoom(values: RoomValues): Promise<Room | undefined> {
  const [created] = await query<{ id: number }>(
    `insert into rooms (name, capacity)
     values ($1, $2) returning id`,
    [values.name, values.capacity],
  );
  return created && getRoom(created.id);
}

export async function updateRoom(id: number, values: RoomValues): Promise<Room | undefined> {
  const [updated] = await query<{ id: number }>(
    `update rooms
     set name = $2, capacity = $3
     where id = $1 returning id`,
    [id, values.name, values.capacity],
  );
  return updated && getRoom(updated.id);
}

export async function deleteRoom(id: number): Promise<{ id: number } | undefined> {
  const [row] = await query<{ id: number }>("delete from rooms where id = $1 returning id", [id]);
  return row;
}
