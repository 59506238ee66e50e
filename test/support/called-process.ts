import { IpcProcess } from './ipc-process.js';

/** What a worker is told whose methods a test calls. */
export type CallCommand<Methods> =
  | { readonly kind: 'call'; readonly call: number; readonly method: keyof Methods; readonly args: unknown[] }
  | { readonly kind: 'close' };

/** What it tells. */
export type CallMessage =
  | { readonly kind: 'ready' }
  /** It could not start. */
  | { readonly kind: 'failed'; readonly code: string | undefined; readonly text: string }
  | { readonly kind: 'answer'; readonly call: number; readonly value?: unknown; readonly error?: string };

type Call = (...args: never[]) => Promise<unknown>;

/** A process whose methods a test calls. */
export class CalledProcess<Methods extends Record<keyof Methods, Call>> extends IpcProcess<
  CallCommand<Methods>,
  CallMessage
> {
  private calls = 0;

  /** Calls a method in the process. @throws Error with the text of what it threw there. */
  async call<M extends keyof Methods>(
    method: M,
    ...args: Parameters<Methods[M]>
  ): Promise<Awaited<ReturnType<Methods[M]>>> {
    const call = ++this.calls;
    const answered = this.message('answer', (message) => message.call === call);
    this.send({ kind: 'call', call, method, args });
    const { value, error } = await answered;
    if (error !== undefined) throw new Error(`${String(method)} in the worker: ${error}`);
    return value as Awaited<ReturnType<Methods[M]>>;
  }
}
