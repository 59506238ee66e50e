/** One question and who waits for its answer. */
interface Asked<Q, A> {
  readonly question: Q;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
}

export interface BatchLimits<Q> {
  /** Questions in a call. */
  readonly most: number;
  /** What the questions of a call may weigh together; the first one always fits. */
  readonly weighs?: { readonly of: (question: Q) => number; readonly most: number };
  /** Calls under way at once. Default 1. */
  readonly calls?: number;
}

/**
 * Puts the questions of many into few calls: what is asked in the same turn of the event loop, or while no further call
 * may begin, goes out together. An error reaches all who share the call.
 */
export class Batcher<Q, A> {
  private waiting: Asked<Q, A>[] = [];
  private underWay = 0;
  private scheduled = false;

  /** @param call answers one answer per question, in their order. */
  constructor(
    private readonly call: (questions: readonly Q[]) => Promise<readonly A[]>,
    private readonly limits: BatchLimits<Q>,
  ) {}

  ask(question: Q): Promise<A> {
    return new Promise<A>((resolve, reject) => {
      this.waiting.push({ question, resolve, reject });
      this.schedule();
    });
  }

  /** For the end of the turn: until then, those whom an answer has just woken may ask again. */
  private schedule(): void {
    const { calls = 1 } = this.limits;
    if (this.scheduled || this.underWay === calls || this.waiting.length === 0) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      void this.flush();
    });
  }

  private async flush(): Promise<void> {
    const batch = this.waiting.splice(0, this.sizeOfBatch());
    this.underWay++;
    // What did not fit need not wait for its end, if another call may begin.
    this.schedule();
    try {
      const answers = await this.call(batch.map(({ question }) => question));
      for (const [index, { resolve }] of batch.entries()) resolve(answers[index]);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    this.underWay--;
    this.schedule();
  }

  private sizeOfBatch(): number {
    const { waiting } = this;
    const { most, weighs } = this.limits;
    const longest = Math.min(waiting.length, most);
    if (!weighs) return longest;
    let weight = weighs.of(waiting[0].question);
    let size = 1;
    while (size < longest) {
      weight += weighs.of(waiting[size].question);
      if (weight > weighs.most) break;
      size++;
    }
    return size;
  }
}
