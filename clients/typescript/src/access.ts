import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";

import { ChannelCredentials, Metadata, type ChannelOptions } from "@grpc/grpc-js";

import type { Settings, Tls } from "./options.js";
import { checkTarget, isLocal } from "./target.js";

interface PemFiles {
  readonly ca: Buffer | null;
  readonly key: Buffer | null;
  readonly certificate: Buffer | null;
}

/** The target of a publisher, and the proof of who calls. */
export class Access {
  readonly #settings: Settings;
  readonly #tls: Tls | undefined;
  readonly #reported = new Set<string>();
  #token: string | undefined;
  #pem: PemFiles | undefined;

  /** @throws Error an argument can never work; the message names it. */
  constructor(
    readonly target: string,
    settings: Settings,
  ) {
    checkTarget(target);
    const { tls, token, tokenFile } = settings;
    if (token !== undefined && tokenFile !== undefined) {
      throw new TypeError("token and tokenFile exclude each other: set one of them");
    }
    this.#settings = settings;
    this.#tls = tls === true ? {} : tls === false ? undefined : tls;
    if ((this.#tls?.certificateFile === undefined) !== (this.#tls?.keyFile === undefined)) {
      throw new TypeError("tls.certificateFile and tls.keyFile belong together: set both or neither");
    }
    this.#token = token === undefined ? undefined : checkedToken(token, "token");
    if (tokenFile !== undefined) {
      this.#token = readToken(tokenFile);
    }
    this.#pem = this.#tls && readPem(this.#tls);
    if (this.#token !== undefined && !this.#tls && !isLocal(target)) {
      settings.logger.warn(`the token travels to ${target} in plain text: set tls`);
    }
  }

  /** Whether calls are in plain text. */
  get isPlain(): boolean {
    return this.#tls === undefined;
  }

  /** Returns the metadata of the next call. Reads the token file again; if that fails, its last token stays. */
  metadata(): Metadata {
    const { tokenFile } = this.#settings;
    if (tokenFile !== undefined) {
      this.#token = this.#readAgain("tokenFile", () => readToken(tokenFile)) ?? this.#token;
    }
    const metadata = new Metadata();
    if (this.#token !== undefined) {
      metadata.set("authorization", `Bearer ${this.#token}`);
    }
    return metadata;
  }

  /** Reads the TLS files again; returns whether they changed, so that a new connection is needed. */
  tlsChanged(): boolean {
    const tls = this.#tls;
    if (!tls) {
      return false;
    }
    const files = this.#readAgain("tls", () => readPem(tls));
    if (files === undefined || (this.#pem !== undefined && sameFiles(files, this.#pem))) {
      return false;
    }
    this.#pem = files;
    return true;
  }

  /** Returns the credentials of a new connection. */
  credentials(): ChannelCredentials {
    return this.#pem
      ? ChannelCredentials.createSsl(this.#pem.ca, this.#pem.key, this.#pem.certificate)
      : ChannelCredentials.createInsecure();
  }

  /** Returns the options of a connection that leaves retries and reconnecting to the publisher. */
  channelOptions(): ChannelOptions {
    return {
      ...(this.#tls?.serverName === undefined ? {} : { "grpc.ssl_target_name_override": this.#tls.serverName }),
      "grpc.enable_retries": 0,
      // A service configuration from DNS could turn retries, time-outs or waiting on again.
      "grpc.service_config_disable_resolution": 1,
      // gRPC's own pause between connection attempts grows to two minutes, longer than the publisher's.
      "grpc.initial_reconnect_backoff_ms": 200,
      "grpc.max_reconnect_backoff_ms": Math.max(1000, this.#settings.backoffMaxMs),
      // Keepalive finds a dead connection within a call. The kernel would take a quarter of an hour.
      "grpc.keepalive_time_ms": 20_000,
      "grpc.keepalive_timeout_ms": 10_000,
      ...(isLocal(this.target) ? { "grpc.enable_http_proxy": 0 } : {}),
    };
  }

  /** Returns what `read` returns; undefined if it fails, as during a replacement of the file. Warns once. */
  #readAgain<Content>(name: string, read: () => Content): Content | undefined {
    try {
      const content = read();
      this.#reported.delete(name);
      return content;
    } catch (error) {
      if (!this.#reported.has(name)) {
        this.#reported.add(name);
        this.#settings.logger.warn(`using the last good ${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
      return undefined;
    }
  }
}

/** Reads the TLS files, and checks that they make usable credentials: a half-written pair is an error. */
function readPem(tls: Tls): PemFiles {
  const ca = readFile("tls.caFile", tls.caFile);
  const key = readFile("tls.keyFile", tls.keyFile);
  const certificate = readFile("tls.certificateFile", tls.certificateFile);
  if (ca) {
    checkAuthorities(ca, tls.caFile ?? "");
  }
  try {
    createSecureContext({ ...(ca && { ca }), ...(key && { key }), ...(certificate && { cert: certificate }) });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TypeError(`the files of tls (${Object.values(tls).join(", ")}) do not fit together: ${reason}`, { cause: error });
  }
  return { ca, key, certificate };
}

/** Checks each certificate of a file: Node's own context leaves out those that it cannot read. */
function checkAuthorities(ca: Buffer, path: string): void {
  const begin = "-----BEGIN CERTIFICATE-----";
  const [, ...blocks] = ca.toString("latin1").split(begin);
  if (blocks.length === 0) {
    throw new TypeError(`tls.caFile ${path} holds no certificate in PEM form`);
  }
  for (const block of blocks) {
    try {
      new X509Certificate(begin + block);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new TypeError(`tls.caFile ${path} holds a certificate that cannot be read: ${reason}`, { cause: error });
    }
  }
}

function sameFiles(one: PemFiles, other: PemFiles): boolean {
  const names = ["ca", "key", "certificate"] as const;
  return names.every((name) => Buffer.compare(one[name] ?? Buffer.of(), other[name] ?? Buffer.of()) === 0);
}

/** Returns the token in a file: one line, with or without its end and a byte order mark. */
function readToken(path: string): string {
  const content = readFile("tokenFile", path)?.toString().replace(/^\ufeff/, "").trim() ?? "";
  return checkedToken(content, `tokenFile ${path}`);
}

/** Returns a token that can be the value of a header (RFC 9110, 5.5). Its errors don't quote it. */
function checkedToken(token: unknown, name: string): string {
  if (typeof token !== "string") {
    throw new TypeError(`${name} must be a string, not ${typeof token}`);
  }
  if (token === "") {
    throw new TypeError(`${name} is empty`);
  }
  if (!/^[!-~]+$/.test(token)) {
    throw new TypeError(`${name} must be one line of printable ASCII characters without spaces`);
  }
  return token;
}

function readFile(name: string, path: string | undefined): Buffer | null {
  if (path === undefined) {
    return null;
  }
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (error) {
    throw new TypeError(`${name} ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  if (content.length === 0) {
    throw new TypeError(`${name} ${path} is empty`);
  }
  return content;
}
