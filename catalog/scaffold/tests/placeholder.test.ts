import { expect, test } from "vitest";
import { api } from "./database.ts";

test("placeholder answers until something is built", async () => {
  expect(await api.placeholder()).toEqual({ placeholder: "appfleet scaffold" });
});
