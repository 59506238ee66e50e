/** Scope: which questions share a call, and who gets which answer. */
import { describe, expect, it } from 'vitest';
import { Batcher } from './batcher.js';

interface Call {
  readonly questions: readonly number[];
  /** Answers each question with its tenfold. */
  readonly answer: () => void;
  readonly fail: (error: unknown) => void;
}

function setUp(most = 10) {
  const calls: Call[] = [];
  const batcher = new Batcher<number, number>(
    (questions) =>
      new Promise((resolve, reject) => {
        calls.push({ questions, answer: () => resolve(questions.map((one) => one * 10)), fail: reject });
      }),
    most,
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

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

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
    const { calls, asked, ask, answers } = setUp(2);
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

  it('that share a failed call all get its error, later ones do not', async () => {
    const { calls, ask, answers } = setUp(2);
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
    const batcher = new Batcher<number, number>((questions) => {
      if (broken) throw new Error('bug');
      return Promise.resolve(questions);
    }, 10);
    await expect(batcher.ask(1)).rejects.toThrow('bug');
    broken = false;
    expect(await batcher.ask(2)).toBe(2);
  });
});
