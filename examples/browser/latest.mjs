/**
 * Returns a function that does `work` one run at a time. Calls during a run make it run once more after it, however
 * many there are: what is shown follows the pointer and never falls behind it.
 */
export function latest(work, onError) {
  let again = false;
  let running = null;
  const run = async () => {
    try {
      while (again) {
        again = false;
        await work();
      }
    } catch (error) {
      onError(error);
    } finally {
      running = null;
    }
  };
  return () => {
    again = true;
    return (running ??= run());
  };
}
