// Conditions that are looked at again whenever something happened, and ten times a second in any case.

const LOOK_AGAIN_MS = 100;

export class Waits {
  #checks = new Set();

  // Something happened: look at every condition again, after the current event is over.
  poke() {
    if (this.#checks.size) {
      queueMicrotask(() => [...this.#checks].forEach((check) => check()));
    }
  }

  // Resolves as soon as `condition` holds; rejects after `deadlineMs` with what `describe` says then.
  until(condition, deadlineMs, describe = () => '') {
    return new Promise((resolve, reject) => {
      const finish = (action) => {
        this.#checks.delete(check);
        clearInterval(interval);
        clearTimeout(deadline);
        action();
      };
      const check = () => {
        try {
          if (condition()) {
            finish(resolve);
          }
        } catch (error) {
          finish(() => reject(error));
        }
      };
      const interval = setInterval(check, LOOK_AGAIN_MS);
      const deadline = setTimeout(
        () => finish(() => reject(new Error(`not so after ${deadlineMs} ms: ${describe()}`))),
        deadlineMs,
      );
      this.#checks.add(check);
      check();
    });
  }
}
