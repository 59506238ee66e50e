import { Presets, SingleBar } from 'cli-progress';

/** One plain line on stderr: stdout is for the results. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/**
 * Shows on stderr how far `work` is, which tells it by `update`: a bar in a terminal, else a plain line every quarter.
 * The terminal is as it was afterwards, even when `work` fails.
 */
export function withProgress<T>(
  what: string,
  total: number,
  work: (update: (done: number) => void) => Promise<T>,
): Promise<T> {
  return process.stderr.isTTY ? withBar(what, total, work) : work(quarters(what, total));
}

async function withBar<T>(
  what: string,
  total: number,
  work: (update: (done: number) => void) => Promise<T>,
): Promise<T> {
  const bar = new SingleBar(
    { format: `${what.padEnd(24)} {bar} {value}/{total}`, hideCursor: true },
    Presets.shades_classic,
  );
  bar.start(total, 0);
  try {
    return await work((done) => bar.update(done));
  } finally {
    bar.stop();
  }
}

function quarters(what: string, total: number): (done: number) => void {
  let shown = 0;
  return (done) => {
    const quarter = Math.floor((done / total) * 4);
    if (quarter <= shown) return;
    shown = quarter;
    say(`${what}: ${done}/${total}`);
  };
}
