import { expect, test } from "vitest";
import { clock, fresh, left, pause, start } from "../src/play/timer.ts";

test("a timer counts down from where it was started", () => {
  const running = start(fresh(1), 1_000);
  expect(left(running, 11_000)).toBe(50_000);
  expect(left(running, 999_999)).toBe(0);
});

test("a paused timer keeps what is left", () => {
  const paused = pause(start(fresh(1), 0), 15_000);
  expect(left(paused, 999_999)).toBe(45_000);
  expect(left(start(paused, 100_000), 105_000)).toBe(40_000);
});

test("the clock shows minutes and started seconds", () => {
  expect(clock(1_500_000)).toBe("25:00");
  expect(clock(64_200)).toBe("01:05");
  expect(clock(0)).toBe("00:00");
});
