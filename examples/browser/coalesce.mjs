/**
 * Returns a function that does `work` one run at a time. Calls during a run are coalesced: they make it run once more
 * after it, however many there are, so that what is shown follows the pointer and never falls behind it.
 */
export function coalesced(work, onError) {
  let pending = false;
  let running = null;
  const run = async () => {
    try {
      while (pending) {
        pending = false;
        await work();
      }
    } catch (error) {
      onError(error);
    } finally {
      running = null;
    }
  };
  return () => {
    pending = true;
    return (running ??= run());
  };
}
