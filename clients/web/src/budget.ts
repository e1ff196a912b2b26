/** Intercom: "at most 20 `update` calls in 30 minutes per page". */
const CALLS_MAX = 20;
const WINDOW_MS = 30 * 60 * 1000;

/** Counts the updates of the last 30 minutes. */
export interface Budget {
  /** Returns how many milliseconds the next update has to wait. */
  wait(now: number): number;
  /** Counts an update. */
  take(now: number): void;
}

/** Returns a full budget. Times are in milliseconds. */
export function createBudget(): Budget {
  // The times of the last updates, at most CALLS_MAX, oldest first.
  const times: number[] = [];
  return {
    wait: (now) => (times.length < CALLS_MAX ? 0 : Math.max(0, (times[0] ?? 0) + WINDOW_MS - now)),
    take: (now) => {
      if (times.push(now) > CALLS_MAX) {
        times.shift();
      }
    },
  };
}
