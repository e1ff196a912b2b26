/** What was dropped, changed or refused, and why. Messages name attributes, never their values. */
export interface Finding {
  /** Upper case, stable: a reason of the daemon, such as `ATTRIBUTE_DROPPED`, or one of this package. */
  readonly reason: string;
  /** The part that it is about, such as `user_attributes[2]`. */
  readonly field: string;
  /** What happened, the limit, and the fix. */
  readonly message: string;
}

/** Collects the findings of one call. */
export class Findings {
  /** Why the call is refused. */
  readonly violations: Finding[] = [];
  /** What is sent differently, or not at all. */
  readonly adjustments: Finding[] = [];

  reject(reason: string, field: string, message: string): void {
    this.violations.push({ reason, field, message });
  }

  adjust(reason: string, field: string, message: string): void {
    this.adjustments.push({ reason, field, message });
  }

  drop(field: string, message: string): void {
    this.adjust("ATTRIBUTE_DROPPED", field, message);
  }
}
