// Bookings in the database.
import { query, queryPage, type Page } from "../db.ts";
import { containing } from "../search.ts";

export interface Booking {
  id: number;
  guest: string;
  email: string | null;
  startDate: string | null;
  endDate: string | null;
  notes: string | null;
  roomId: number;
  roomLabel: string | null;
  createdAt: string;
}

/** What a person enters. */
export interface BookingValues {
  guest: string;
  email: string | null;
  startDate: string | null;
  endDate: string | null;
  notes: string | null;
  roomId: number;
}

/** A filter that is left out leaves everything in. */
export interface BookingFilter {
  search?: string;
  roomId?: number;
  limit: number;
}

const select = `
  select bookings.id,
         bookings.guest,
         bookings.email,
         bookings.start_date as "startDate",
         bookings.end_date as "endDate",
         bookings.notes,
         bookings.room_id as "roomId",
         room_row.name::text as "roomLabel",
         bookings.created_at as "createdAt"
  from bookings
  left join rooms as room_row on room_row.id = bookings.room_id`;

export function listBookings(filter: BookingFilter): Promise<Page<Booking>> {
  return queryPage<Booking>(
    `${select}
  where ($1::text is null or bookings.guest ilike $1 or bookings.email ilike $1 or bookings.notes ilike $1)
    and ($2::bigint is null or bookings.room_id = $2::bigint)
  order by bookings.created_at desc, bookings.id desc`,
    [containing(filter.search), filter.roomId ?? null],
    filter.limit,
  );
}

export async function getBooking(id: number): Promise<Booking | undefined> {
  const [row] = await query<Booking>(`${select} where bookings.id = $1`, [id]);
  return row;
}

export async function createBooking(values: BookingValues): Promise<Booking | undefined> {
  const [created] = await query<{ id: number }>(
    `insert into bookings (guest, email, start_date, end_date, notes, room_id)
     values ($1, $2, $3, $4, $5, $6) returning id`,
    [values.guest, values.email, values.startDate, values.endDate, values.notes, values.roomId],
  );
  return created && getBooking(created.id);
}

export async function updateBooking(id: number, values: BookingValues): Promise<Booking | undefined> {
  const [updated] = await query<{ id: number }>(
    `update bookings
     set guest = $2, email = $3, start_date = $4, end_date = $5, notes = $6, room_id = $7
     where id = $1 returning id`,
    [id, values.guest, values.email, values.startDate, values.endDate, values.notes, values.roomId],
  );
  return updated && getBooking(updated.id);
}

export async function deleteBooking(id: number): Promise<{ id: number } | undefined> {
  const [row] = await query<{ id: number }>("delete from bookings where id = $1 returning id", [id]);
  return row;
}
