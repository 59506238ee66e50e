import { spawnSync } from 'node:child_process';

/** Why it is not there; undefined = it is. */
const missing = spawnSync('promtool', ['--version']).error?.message;

if (missing) console.warn(`promtool tests are skipped: ${missing} (Debian and Ubuntu: apt-get install prometheus)`);

export const hasPromtool = missing === undefined;

/** Runs Prometheus's own tool; answers everything that it says, and whether it found nothing wrong. */
export function promtool(args: readonly string[], input = ''): { readonly ok: boolean; readonly said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return { ok: status === 0, said: `${stdout}${stderr}`.trim() };
}
