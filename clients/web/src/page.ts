/** The script for pages without a bundler: `window.intercomd`. */
import { endSession, identify, init, pageView, setAttributes, setConsent, shutdown, track } from "./index.js";

Object.assign(window, { intercomd: { endSession, identify, init, pageView, setAttributes, setConsent, shutdown, track } });
