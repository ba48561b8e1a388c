import { useState } from "react";
import { PageHeader } from "../components/PageHeader.tsx";
import { appTitle } from "../navigation.ts";
import { choices, choose, firstRound, next, questions } from "../play/quiz.ts";
import "../play/play.css";

export function HomePage() {
  const [round, setRound] = useState(firstRound);
  const question = questions[round.position];
  if (question === undefined) {
    return (
      <>
        <PageHeader title={appTitle} />
        <section className="card play">
          <p className="play-display">
            {round.correct} / {questions.length}
          </p>
          <p role="status">That was the last question.</p>
          <button type="button" className="button button-primary" onClick={() => setRound(firstRound)}>
            Play again
          </button>
        </section>
      </>
    );
  }
  return (
    <>
      <PageHeader title={appTitle} description={`Question ${round.position + 1} of ${questions.length}`} />
      <section className="card play">
        <h2>{question.prompt}</h2>
        <div className="play-buttons">
          {choices(question).map((choice) => (
            <button
              key={choice}
              type="button"
              className={choice === round.chosen ? "button button-primary" : "button"}
              disabled={round.chosen !== null}
              onClick={() => setRound(choose(round, question, choice))}
            >
              {choice}
            </button>
          ))}
        </div>
        {round.chosen !== null && (
          <>
            <p role="status">
              {round.chosen === question.answer ? "Right!" : `Not quite: it is ${question.answer}.`}
            </p>
            <button type="button" className="button button-primary" onClick={() => setRound(next(round))}>
              Next
            </button>
          </>
        )}
      </section>
    </>
  );
}
