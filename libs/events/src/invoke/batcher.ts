/** One question and who waits for its answer. */
interface Asked<Q, A> {
  readonly question: Q;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Puts the questions of many attempts into few calls: what is asked while a call is under way, or in the same turn of the
 * event loop, goes out together. An error reaches all who share the call.
 */
export class Batcher<Q, A> {
  private waiting: Asked<Q, A>[] = [];
  private busy = false;

  /** @param call answers one answer per question, in their order. @param most questions in a call. */
  constructor(
    private readonly call: (questions: readonly Q[]) => Promise<readonly A[]>,
    private readonly most: number,
  ) {}

  ask(question: Q): Promise<A> {
    return new Promise<A>((resolve, reject) => {
      this.waiting.push({ question, resolve, reject });
      if (this.busy) return;
      this.busy = true;
      setImmediate(() => void this.flush());
    });
  }

  private async flush(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, this.most);
      try {
        const answers = await this.call(batch.map(({ question }) => question));
        for (const [index, { resolve }] of batch.entries()) resolve(answers[index]);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.busy = false;
  }
}
