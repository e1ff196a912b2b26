/** The script for pages without a bundler: `window.intercomd`. */
import { client } from "./index.js";

Object.assign(window, { intercomd: client });
