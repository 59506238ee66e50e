const DIGITS = Array.from({ length: 10 }, (_, digit) => `select ${digit}`).join(' union all ');

/**
 * `with numbers (n) as (...)`: 1 to `count`, for an `insert ... select` on every database. Not recursive: MariaDB ends
 * such a query after 1,000 rounds.
 */
export function numbersUpTo(count: number): string {
  const places = Array.from({ length: String(count - 1).length }, (_, place) => `d${place}`);
  const sum = places.map((place, index) => `${10 ** index} * ${place}.v`).join(' + ');
  const from = places.map((place) => `digits ${place}`).join(' cross join ');
  return `with digits (v) as (${DIGITS}), numbers (n) as (select 1 + ${sum} from ${from} where ${sum} < ${count})`;
}
