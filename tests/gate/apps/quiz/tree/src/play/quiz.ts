// The questions and how a round of them goes.
export interface Question {
  prompt: string;
  answer: string;
  wrong: readonly string[];
}

export const questions: readonly Question[] = [
  {"prompt": "Which planet is closest to the sun?", "answer": "Mercury", "wrong": ["Venus", "Mars", "Earth"]},
  {"prompt": "How many continents are there?", "answer": "7", "wrong": ["5", "6", "8"]},
  {"prompt": "Which gas do plants take in?", "answer": "Carbon dioxide", "wrong": ["Oxygen", "Nitrogen", "Helium"]},
  {"prompt": "What is the chemical symbol of gold?", "answer": "Au", "wrong": ["Ag", "Go", "Gd"]},
  {"prompt": "Which ocean is the largest?", "answer": "Pacific", "wrong": ["Atlantic", "Indian", "Arctic"]},
];

export interface Round {
  position: number;
  correct: number;
  /** What was chosen for the current question; null before that. */
  chosen: string | null;
}

export const firstRound: Round = { position: 0, correct: 0, chosen: null };

export function choose(round: Round, question: Question, chosen: string): Round {
  if (round.chosen !== null) return round; // the first answer counts
  return { ...round, chosen, correct: round.correct + (chosen === question.answer ? 1 : 0) };
}

export const next = (round: Round): Round => ({ ...round, position: round.position + 1, chosen: null });

/** In alphabetical order, so that the place of an answer tells nothing. */
export const choices = (question: Question): string[] => [question.answer, ...question.wrong].sort();
