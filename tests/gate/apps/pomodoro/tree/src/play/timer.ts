// A countdown that is right even when the browser sleeps: it counts from moments, not from ticks.
export const defaultMinutes = 25;

export interface Timer {
  /** Milliseconds left while it stands still. */
  leftMs: number;
  /** When it will be over; null while it stands still. */
  endsAt: number | null;
}

export const fresh = (minutes: number): Timer => ({ leftMs: minutes * 60_000, endsAt: null });

export const left = (timer: Timer, now: number): number =>
  timer.endsAt === null ? timer.leftMs : Math.max(0, timer.endsAt - now);

export const start = (timer: Timer, now: number): Timer =>
  timer.endsAt === null && timer.leftMs > 0 ? { ...timer, endsAt: now + timer.leftMs } : timer;

export const pause = (timer: Timer, now: number): Timer => ({ leftMs: left(timer, now), endsAt: null });

/** 65 000 ms -> "01:05"; a started second counts. */
export function clock(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  return [Math.floor(seconds / 60), seconds % 60].map((part) => String(part).padStart(2, "0")).join(":");
}
