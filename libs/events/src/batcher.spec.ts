/** Scope: which questions share a call, and who gets which answer. */
import { describe, expect, it } from 'vitest';
import { Batcher, type BatchLimits } from './batcher.js';

interface Call {
  readonly questions: readonly number[];
  /** Answers each question with its tenfold. */
  readonly answer: () => void;
  readonly fail: (error: unknown) => void;
}

function setUp(limits: BatchLimits<number> = { most: 10 }) {
  const calls: Call[] = [];
  const batcher = new Batcher<number, number>(
    (questions) =>
      new Promise((resolve, reject) => {
        calls.push({ questions, answer: () => resolve(questions.map((one) => one * 10)), fail: reject });
      }),
    limits,
  );
  const answers: (number | string)[] = [];
  const ask = (...questions: number[]) => {
    for (const question of questions) {
      batcher.ask(question).then(
        (answer) => answers.push(answer),
        (error: unknown) => answers.push(`${question}: ${String(error)}`),
      );
    }
  };
  return { calls, asked: () => calls.map(({ questions }) => questions), batcher, ask, answers };
}

/** Of the event loop, and of what an answer in it has scheduled. */
const turn = async () => {
  for (let n = 0; n < 2; n++) await new Promise<void>((resolve) => setImmediate(resolve));
};

describe('questions', () => {
  it('of one turn of the event loop go out together, each gets its own answer', async () => {
    const { calls, asked, ask, answers } = setUp();
    ask(1, 2);
    await Promise.resolve();
    ask(3);
    expect(asked()).toEqual([]);
    await turn();
    expect(asked()).toEqual([[1, 2, 3]]);
    calls[0].answer();
    await turn();
    expect(answers).toEqual([10, 20, 30]);
  });

  it('that come while a call is under way go out with the next, at most so many at once', async () => {
    const { calls, asked, ask, answers } = setUp({ most: 2 });
    ask(1);
    await turn();
    ask(2, 3);
    await turn();
    ask(4);
    await turn();
    expect(asked()).toEqual([[1]]);
    calls[0].answer();
    await turn();
    expect(asked()).toEqual([[1], [2, 3]]);
    calls[1].answer();
    await turn();
    calls[2].answer();
    await turn();
    expect([asked(), answers]).toEqual([
      [[1], [2, 3], [4]],
      [10, 20, 30, 40],
    ]);
  });

  it('that weigh too much for a call are spread over several; one alone may weigh anything', async () => {
    const { calls, asked, ask } = setUp({ most: 3, weighs: { of: (question) => question, most: 10 } });
    ask(50, 4, 6, 1, 1, 1, 1);
    for (let call = 0; call < 4; call++) {
      await turn();
      calls[call].answer();
    }
    expect(asked()).toEqual([[50], [4, 6], [1, 1, 1], [1]]);
  });

  it('go out although a call is under way, if several may be at once', async () => {
    const { calls, asked, ask, answers } = setUp({ most: 2, calls: 2 });
    ask(1, 2, 3);
    await turn();
    ask(4, 5);
    await turn();
    expect(asked()).toEqual([[1, 2], [3]]);
    calls[1].answer();
    await turn();
    expect([asked(), answers]).toEqual([[[1, 2], [3], [4, 5]], [30]]);
  });

  it('of those whom an answer has woken go out with the next call', async () => {
    const { calls, asked, ask, batcher } = setUp();
    void batcher.ask(1).then(() => ask(3));
    await turn();
    ask(2);
    calls[0].answer();
    await turn();
    expect(asked()).toEqual([[1], [2, 3]]);
  });

  it('that share a failed call all get its error, later ones do not', async () => {
    const { calls, ask, answers } = setUp({ most: 2 });
    ask(1, 2, 3);
    await turn();
    calls[0].fail(new Error('down'));
    await turn();
    calls[1].answer();
    await turn();
    ask(4);
    await turn();
    calls[2].answer();
    await turn();
    expect(answers).toEqual(['1: Error: down', '2: Error: down', 30, 40]);
  });

  it('survive a call that throws at once', async () => {
    let broken = true;
    const batcher = new Batcher<number, number>(
      (questions) => {
        if (broken) throw new Error('bug');
        return Promise.resolve(questions);
      },
      { most: 10 },
    );
    await expect(batcher.ask(1)).rejects.toThrow('bug');
    broken = false;
    expect(await batcher.ask(2)).toBe(2);
  });
});
