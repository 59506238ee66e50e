/** Waits until it is done, and gives up with the name of what it waited for. */
export async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!(await done())) {
    if (performance.now() > deadline) throw new Error(`gave up on ${what} after 120 s`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
