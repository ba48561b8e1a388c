// Valid records for the tests; what a record points at is created with it.
import { api } from "./database.ts";

export async function exampleRoom() {
  return {
    name: "Name 1",
    capacity: 4,
  };
}

export async function addRoom() {
  return api.rooms.create(await exampleRoom());
}

export async function exampleBooking() {
  return {
    guest: "Guest 1",
    email: "person1@example.com",
    startDate: "2026-01-15",
    endDate: "2026-01-15",
    notes: "Notes, first line.\nAnd a second one (1).",
    roomId: (await addRoom()).id,
  };
}

export async function addBooking() {
  return api.bookings.create(await exampleBooking());
}
