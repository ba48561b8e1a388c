// Valid records for the tests; what a record points at is created with it.
import { api } from "./database.ts";

export async function exampleCustomer() {
  return {
    name: "Name 1",
    email: "person1@example.com",
    phone: "Phone 1",
  };
}

export async function addCustomer() {
  return api.customers.create(await exampleCustomer());
}

export async function exampleDeal() {
  return {
    title: "Title 1",
    amount: "19.90",
    stage: "lead" as const,
    customerId: (await addCustomer()).id,
  };
}

export async function addDeal() {
  return api.deals.create(await exampleDeal());
}
