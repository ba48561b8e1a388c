import { useEffect, useState } from "react";
import { PageHeader } from "../components/PageHeader.tsx";
import { appTitle } from "../navigation.ts";
import { clock, defaultMinutes, fresh, left, pause, start } from "../play/timer.ts";
import "../play/play.css";

export function HomePage() {
  const [minutes, setMinutes] = useState(defaultMinutes);
  const [timer, setTimer] = useState(() => fresh(defaultMinutes));
  const [now, setNow] = useState(() => Date.now());
  const running = timer.endsAt !== null;
  const remaining = left(timer, now);

  useEffect(() => {
    if (!running) return;
    const ticking = setInterval(() => setNow(Date.now()), 200);
    return () => clearInterval(ticking);
  }, [running]);

  useEffect(() => {
    if (running && remaining === 0) setTimer((current) => pause(current, Date.now()));
  }, [running, remaining]);

  const begin = () => {
    setNow(Date.now());
    setTimer((current) => start(current, Date.now()));
  };
  const choose = (chosen: number) => {
    setMinutes(chosen);
    setTimer(fresh(chosen));
  };
  return (
    <>
      <PageHeader title={appTitle} description="Choose how long, then start." />
      <section className="card play">
        <p className="play-display" role="timer">
          {clock(remaining)}
        </p>
        {remaining === 0 && <p role="alert">Time is up.</p>}
        <label className="field">
          <span>Minutes</span>
          <input
            type="number"
            min={1}
            max={600}
            value={minutes}
            disabled={running}
            onChange={(event) => choose(Math.min(600, Math.max(1, Math.trunc(Number(event.target.value)) || 1)))}
          />
        </label>
        <div className="play-buttons">
          {running ? (
            <button type="button" className="button" onClick={() => setTimer(pause(timer, Date.now()))}>
              Pause
            </button>
          ) : (
            <button type="button" className="button button-primary" disabled={remaining === 0} onClick={begin}>
              Start
            </button>
          )}
          <button type="button" className="button" onClick={() => setTimer(fresh(minutes))}>
            Reset
          </button>
        </div>
      </section>
    </>
  );
}
