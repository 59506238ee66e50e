import type { DataSourceOptions } from 'typeorm';
import { IpcProcess } from '../../support/ipc-process.js';

/** Of both kinds of process. */
export interface ChaosProcessConfig {
  /** `node-2.5`: the fifth process in the second node's place. */
  readonly name: string;
  readonly seed: number;
  /** The file it writes down what it does in. */
  readonly journal: string;
  readonly dataSource: DataSourceOptions;
  readonly cooperative: boolean;
}

export interface ChaosCommand {
  readonly kind: 'close';
}

export interface ChaosMessage {
  readonly kind: 'ready';
}

/** A node or a publisher, as the driver sees it. */
export class ChaosProcess extends IpcProcess<ChaosCommand, ChaosMessage> {
  constructor(
    worker: 'chaos-node' | 'chaos-publisher',
    readonly config: ChaosProcessConfig,
  ) {
    super(`${worker}.worker.js`, config);
  }

  /** Resolves when it is at work. @throws Error when it ends before. */
  async ready(): Promise<void> {
    await this.message('ready');
  }
}
