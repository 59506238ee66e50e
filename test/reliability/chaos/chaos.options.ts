import { parseArgs } from 'node:util';

export interface ChaosOptions {
  readonly db: string;
  /** `own`: a server of the run's own, which is crashed and started again now and then. */
  readonly server: 'shared' | 'own';
  /** How long faults go on; booting, draining and accounting come on top. */
  readonly seconds: number;
  /** Decides what is published, who fails and which fault comes when; how they fall together is up to the machine. */
  readonly seed: number;
  /** Print the last line only. */
  readonly json: boolean;
}

/** @throws Error that names the flag and shows its value. */
export function readChaosOptions(args: readonly string[]): ChaosOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      db: { type: 'string', default: 'sqlite' },
      server: { type: 'string', default: 'shared' },
      minutes: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const { db, server, minutes, seconds, seed, json } = values;
  if (minutes !== undefined && seconds !== undefined) throw new Error('give --minutes or --seconds, not both');
  if (server !== 'shared' && server !== 'own') throw new Error(`--server must be shared or own, not ${server}`);
  const length = minutes === undefined ? positive('seconds', seconds ?? '60') : 60 * positive('minutes', minutes);
  return { db, server, seconds: length, seed: seed === undefined ? freshSeed() : whole('seed', seed), json };
}

/** The command that repeats a run. */
export function commandOf({ db, server, seconds, seed }: ChaosOptions): string {
  const where = server === 'own' ? ' --server own' : '';
  return `npm run chaos -- --db ${db}${where} --seconds ${seconds} --seed ${seed}`;
}

function freshSeed(): number {
  return Math.floor(Math.random() * 1_000_000);
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new Error(`--${flag} must be a number above 0, not ${text}`);
}

function whole(flag: string, text: string): number {
  const value = Number(text);
  if (text !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`--${flag} must be a whole number from 0, not ${text}`);
}
