type Command =
  | { readonly kind: 'call'; readonly call: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly kind: 'close' };

type Methods = Readonly<Record<string, (...args: readonly unknown[]) => Promise<unknown>>>;

/**
 * Carries out what the process is sent, calls of `methods`, and answers. `close` is the last that it does.
 */
export function serveCalls(methods: object, close: () => Promise<void>): void {
  const answer = (message: object) => process.send?.({ kind: 'answer', ...message });
  process.on('message', (command: Command) => {
    void (async () => {
      if (command.kind === 'close') {
        await close();
        process.disconnect();
        return;
      }
      const { call, method, args } = command;
      try {
        answer({ call, value: await (methods as Methods)[method](...args) });
      } catch (error) {
        answer({ call, error: String(error) });
      }
    })();
  });
}
