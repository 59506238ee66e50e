// Writes payments.ndjson, always the same: node apps/payments/data/generate.mjs
// 1,000 payments of 20 users: 950 different ones (20 too large, 30 negative, 900 ordinary) and 50 sent a second time;
// between them 3 lines that are no payments. The special ones come evenly all through the file: so at no time does a tenth
// of the fraud check's attempts fail, which would make its health degraded.
import { writeFileSync } from 'node:fs';

const DISTINCT = 950;
// Primes, so that no payment is both.
const TOO_LARGE_EVERY = 47;
const NEGATIVE_EVERY = 31;
const REPEATED_EVERY = 19;
const USERS = 20;
const CURRENCIES = ['EUR', 'EUR', 'EUR', 'USD', 'GBP'];

const random = lehmer(20_260_101);
const between = (low, high) => low + Math.floor(random() * (high - low + 1));
const pick = (list) => list[between(0, list.length - 1)];

const lines = [];
const payments = [];
for (let n = 1; n <= DISTINCT; n++) {
  const payment = {
    paymentId: `pay-${String(n).padStart(4, '0')}`,
    userId: `user-${String(between(1, USERS)).padStart(2, '0')}`,
    amount: amountOf(n),
    currency: pick(CURRENCIES),
  };
  payments.push(payment);
  lines.push(JSON.stringify(payment));
  // The client that got no answer and sends again: one of the last twenty.
  if (n % REPEATED_EVERY === 0) lines.push(JSON.stringify(pick(payments.slice(-20))));
}
insert(250, '{"paymentId":"pay-no-user","amount":12.5,"currency":"EUR"}');
insert(500, '{"paymentId":"pay-decimals","userId":"user-01","amount":12.345,"currency":"EUR"}');
insert(750, '{"paymentId":"pay-cut-off","userId":"user-01","amo');

writeFileSync(new URL('payments.ndjson', import.meta.url), `${lines.join('\n')}\n`);

function amountOf(n) {
  if (n % TOO_LARGE_EVERY === 0) return between(1_000_001, 5_000_000) / 100;
  if (n % NEGATIVE_EVERY === 0) return -between(1, 20_000) / 100;
  return between(1, 50_000) / 100;
}

function insert(at, line) {
  lines.splice(at, 0, line);
}

/** Lehmer's generator with the MINSTD numbers: what it gives depends on the seed alone, and every product fits a double. */
function lehmer(seed) {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
