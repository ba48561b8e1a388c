import { expect, test } from "vitest";
import { choices, choose, firstRound, next, questions } from "../src/play/quiz.ts";

const question = { prompt: "1 + 1?", answer: "2", wrong: ["1", "3"] };

test("only the first answer to a question counts", () => {
  const wrong = choose(firstRound, question, "3");
  expect(wrong.correct).toBe(0);
  expect(choose(wrong, question, "2")).toBe(wrong);
  expect(next(choose(firstRound, question, "2"))).toEqual({ position: 1, correct: 1, chosen: null });
});

test("every question offers its answer exactly once", () => {
  for (const asked of questions) {
    expect(choices(asked).filter((choice) => choice === asked.answer)).toHaveLength(1);
  }
});
