/**
 * What all processes of a run, and its accounting, agree on: who publishes what, and which handler owes what for it.
 */

/** The shortest that the module allows, so that a minute has many. */
export const LEASE_MS = 6_000;

export const NODES = 3;
export const PUBLISHERS = 2;

export type EventType = 'chaos.paid' | 'chaos.slow' | 'chaos.stubborn' | 'chaos.doomed' | 'chaos.keyed';

export interface HandlerRule {
  readonly name: string;
  readonly types: readonly EventType[];
  /** It writes one row into `effects` through `context.transaction`. */
  readonly effect: boolean;
  /** Every delivery of it ends as a dead letter, and no delivery of another does. */
  readonly dies: boolean;
  readonly ordered: boolean;
}

const ALL: readonly EventType[] = ['chaos.paid', 'chaos.slow', 'chaos.stubborn', 'chaos.doomed', 'chaos.keyed'];

export const HANDLERS: readonly HandlerRule[] = [
  { name: 'booking', types: ALL, effect: true, dies: false, ordered: false },
  { name: 'plain', types: ['chaos.paid'], effect: false, dies: false, ordered: false },
  { name: 'flaky', types: ['chaos.paid'], effect: true, dies: false, ordered: false },
  { name: 'slow', types: ['chaos.slow'], effect: true, dies: false, ordered: false },
  { name: 'stubborn', types: ['chaos.stubborn'], effect: true, dies: false, ordered: false },
  { name: 'doomed', types: ['chaos.doomed'], effect: false, dies: true, ordered: false },
  { name: 'ordered', types: ['chaos.keyed'], effect: true, dies: false, ordered: true },
];

/** Tables of the application. Nothing is unique but what the application itself decides on, so that doubles show. */
export const TABLES: readonly string[] = [
  'create table business (id varchar(64) primary key)',
  'create table effects (event_id varchar(64) not null, handler varchar(64) not null, run varchar(64) not null)',
];
