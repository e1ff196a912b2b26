/** Text as the daemon treats it: characters are code points. */

// White space of Unicode, and the separators U+001C to U+001F; U+FEFF is no white space there.
const SPACE = "(?:[^\\S\\ufeff]|[\\x1c-\\x1f\\x85])+";
const ENDS = new RegExp(`^${SPACE}|${SPACE}$`, "g");

/** Returns the text without white space around it. */
export function trim(text: string): string {
  return text.replace(ENDS, "");
}

/** Returns the first `count` characters. */
export function cut(text: string, count: number): string {
  return text.length <= count ? text : Array.from(text).slice(0, count).join("");
}
