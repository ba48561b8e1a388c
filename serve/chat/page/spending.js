// Tokens, money and budgets in words.
import { count } from "./dom.js";

export function amount(number) {
  for (const [size, unit] of [[1e6, "M"], [1e3, "k"]]) {
    if (number >= size) return `${(number / size).toFixed(number / size < 10 ? 1 : 0)}${unit}`;
  }
  return String(Math.round(number));
}

// Cents at least, four decimals at most.
export const dollars = (usd) => (usd > 0 && usd < 0.0001 ? "<$0.0001" : `$${usd.toFixed(4).replace(/0{1,2}$/, "")}`);

const cost = (usd) => (usd ? `, ${dollars(usd)}` : "");

// After a step's title: its own tokens, and what the build cost so far.
export function stepWords(step) {
  if (!step.prompt_tokens && !step.completion_tokens) return "";
  return `${amount(step.prompt_tokens)} in, ${amount(step.completion_tokens)} out${cost(step.cost_usd)}`;
}

// Of a whole build: the totals that its last step told, or the record's.
export function totalWords(total) {
  if (!total || !total.prompt_tokens) return "";
  const share = Math.round((100 * total.repeated_tokens) / total.prompt_tokens);
  const repeated = share ? `, prompt prefix repeated ${share}%` : "";
  return `${amount(total.prompt_tokens)} tokens in, ${amount(total.completion_tokens)} out${cost(total.cost_usd)}${repeated}`;
}

const LEFT = {
  steps: (line) => `${Math.round(line.left)} of ${count(line.limit, "step")}`,
  prompt_tokens: (line) => `${amount(line.left)} of ${amount(line.limit)} prompt tokens`,
  completion_tokens: (line) => `${amount(line.left)} of ${amount(line.limit)} completion tokens`,
  cost_usd: (line) => `${dollars(line.left)} of ${dollars(line.limit)}`,
  wall_s: (line) => `${Math.round(line.left)} of ${Math.round(line.limit)} s`,
};

// The bound that is nearest to its end, and the money.
export function leftWords(spending) {
  const bounds = (spending?.budget || []).filter((line) => line.limit);
  const share = (line) => line.used / line.limit;
  const nearest = bounds.reduce((a, b) => (a && share(a) >= share(b) ? a : b), null);
  return bounds.filter((line) => line === nearest || line.name === "cost_usd").map((line) => LEFT[line.name](line)).join(", ");
}
