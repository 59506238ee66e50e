/**
 * A node that rests until it is told to `begin`, and leaves when it is told to `end`. It tells the process that has
 * started it how often its handler has run, every so often and at last; then `ended`.
 */
import { benchApp } from './bench-app.js';

const TOLD_EVERY_MS = 10;

const dataSource = JSON.parse(process.argv[2] ?? '') as Parameters<typeof benchApp>[0]['dataSource'];
const app = await benchApp({ dataSource });
await app.node.pause();
const tell = () => process.send?.(String(app.runs));
let telling: NodeJS.Timeout | undefined;

async function obey(message: unknown): Promise<void> {
  if (message === 'begin') {
    telling = setInterval(tell, TOLD_EVERY_MS);
    return app.node.resume();
  }
  clearInterval(telling);
  await app.close();
  tell();
  process.send?.('ended');
}

process.on('message', (message) => void obey(message));
process.send?.('ready');
