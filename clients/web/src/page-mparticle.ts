/** The script for pages with mParticle's SDK and without a bundler: `window.intercomd`, with the kit, which it registers. */
import { client } from "./index.js";
import { IntercomEventForwarder, IntercomKit } from "./mparticle.js";

declare global {
  interface Window {
    mParticle?: { addForwarder?: (kit: object) => void };
  }
}

Object.assign(window, { intercomd: { ...client, IntercomEventForwarder, IntercomKit } });
window.mParticle?.addForwarder?.({ name: IntercomEventForwarder.name, constructor: IntercomEventForwarder.kitConstructor, getId: () => 0 });
