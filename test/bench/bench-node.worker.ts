/** A node that tells the process that has started it when a handler begins. */
import { benchApp } from './bench-app.js';

const dataSource = JSON.parse(process.argv[2] ?? '') as Parameters<typeof benchApp>[0]['dataSource'];
const app = await benchApp({ dataSource });
app.onRun = () => process.send?.(String(process.hrtime.bigint()));
process.send?.('ready');
