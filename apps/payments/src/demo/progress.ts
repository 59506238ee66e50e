import { Presets, SingleBar } from 'cli-progress';

/** Shows how far something is, on stderr: stdout is for the results. */
export interface Progress {
  update(done: number): void;
  end(): void;
}

/** A bar in a terminal, else a plain line every quarter. */
export function showProgress(what: string, total: number): Progress {
  return process.stderr.isTTY ? bar(what, total) : lines(what, total);
}

/** One plain line. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function bar(what: string, total: number): Progress {
  const single = new SingleBar(
    { format: `${what.padEnd(24)} {bar} {value}/{total}`, hideCursor: true },
    Presets.shades_classic,
  );
  single.start(total, 0);
  return { update: (done) => single.update(done), end: () => single.stop() };
}

function lines(what: string, total: number): Progress {
  let shown = 0;
  const update = (done: number) => {
    const quarter = Math.floor((done / total) * 4);
    if (quarter <= shown) return;
    shown = quarter;
    say(`${what}: ${done}/${total}`);
  };
  return { update, end: () => {} };
}
