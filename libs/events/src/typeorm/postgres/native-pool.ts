import type { DataSource } from 'typeorm';

/** What the engine uses of pg; its types are an optional peer's, so these are our own. */
export interface NativeClient {
  query(query: NativeQuery): Promise<{ rows: object[]; rowCount: number | null }>;
  query(sql: string): Promise<unknown>;
  on(event: 'error', listener: () => void): unknown;
}

export interface PooledClient extends NativeClient {
  /** With an error the connection is closed instead of going back to the pool. */
  release(error?: Error): void;
}

/** A connection outside the pool. */
export interface LoneClient extends NativeClient {
  connect(): Promise<unknown>;
  end(): Promise<void>;
  on(event: 'error', listener: () => void): unknown;
  on(event: 'notification', listener: (message: { payload?: string }) => void): unknown;
}

export interface NativePool {
  readonly options: object;
  readonly Client: new (options: object) => LoneClient;
  connect(): Promise<PooledClient>;
  on(event: 'connect', listener: (client: NativeClient) => void): unknown;
  off(event: 'connect', listener: (client: NativeClient) => void): unknown;
}

export interface NativeQuery {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly name?: string;
  readonly types: typeof TYPES;
}

const asText = (value: string) => value;

const PARSERS: Readonly<Record<number, (value: string) => unknown>> = {
  16: (value) => value === 't', // bool
  20: Number, // int8: our numbers are safe integers
  21: Number, // int2
  23: Number, // int4
  701: Number, // float8
  1007: (value) => (value === '{}' ? [] : value.slice(1, -1).split(',').map(Number)), // int4[]
};

/**
 * Parsers of the engine's own, since the application may have set others for the whole process. What is not listed is
 * text, JSON too: its owners parse it.
 */
export const TYPES = { getTypeParser: (oid: number) => PARSERS[oid] ?? asText };

/** The pool of an initialized postgres DataSource. */
export function nativePool(source: DataSource): NativePool {
  return (source.driver as unknown as { master: NativePool }).master;
}

/** Without a listener, a connection that breaks while it is in use ends the process; the statement under way fails anyway. */
export function survive(client: NativeClient): void {
  client.on('error', () => undefined);
}
