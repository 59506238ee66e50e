import { readFileSync } from 'node:fs';

/** What the payments file says must come out, worked out without any code of the service. */
export interface Expectation {
  readonly accepted: number;
  readonly duplicates: number;
  readonly refused: number;
  readonly tooLarge: number;
  readonly negative: number;
  /** Who made the accepted payments. */
  readonly users: number;
  /** `user currency` -> cents, of those payments that are neither negative nor too large. */
  readonly balances: ReadonlyMap<string, number>;
}

interface Payment {
  paymentId: string;
  userId: string;
  amount: number;
  currency: string;
}

const LIMIT_CENTS = 1_000_000;

/** The lines of an NDJSON file. */
export function readLines(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').filter(Boolean);
}

/** Reads the lines as the service should. */
export function expectationOf(lines: readonly string[]): Expectation {
  const seen = new Set<string>();
  const users = new Set<string>();
  const balances = new Map<string, number>();
  let [duplicates, refused, tooLarge, negative] = [0, 0, 0, 0];
  for (const line of lines) {
    const payment = parse(line);
    if (!payment) {
      refused++;
      continue;
    }
    if (seen.has(payment.paymentId)) {
      duplicates++;
      continue;
    }
    seen.add(payment.paymentId);
    users.add(payment.userId);
    const cents = Math.round(payment.amount * 100);
    if (cents > LIMIT_CENTS) tooLarge++;
    else if (cents < 0) negative++;
    else {
      const account = accountKey(payment.userId, payment.currency);
      balances.set(account, (balances.get(account) ?? 0) + cents);
    }
  }
  return { accepted: seen.size, duplicates, refused, tooLarge, negative, users: users.size, balances };
}

export function accountKey(userId: string, currency: string): string {
  return `${userId} ${currency}`;
}

/** Undefined for a line that is no payment. */
function parse(line: string): Payment | undefined {
  try {
    const { paymentId, userId, amount, currency } = JSON.parse(line) as Partial<Payment>;
    if (!paymentId || !userId || !currency || amount === undefined) return undefined;
    return Number(amount.toFixed(2)) === amount ? { paymentId, userId, amount, currency } : undefined;
  } catch {
    return undefined;
  }
}
