import { MissingPackageError } from '../../errors/missing-package.error.js';

export type PromClient = typeof import('prom-client');

/**
 * prom-client, an optional peer: loaded only where it is asked for.
 * @throws MissingPackageError when it is not installed.
 */
export async function loadPromClient(
  load: () => Promise<PromClient> = () => import('prom-client'),
): Promise<PromClient> {
  try {
    return await load();
  } catch (error) {
    if (!['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
    throw new MissingPackageError('prom-client', 'metrics.prometheus', { cause: error });
  }
}
