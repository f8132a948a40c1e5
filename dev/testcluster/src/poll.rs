//! Waiting for a condition, never for a duration.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How long to wait between two looks at a condition.
pub(crate) const INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `condition` holds, at most for `within`.
///
/// The condition is looked at once at least. Blocks the thread.
///
/// # Errors
///
/// [`Error::TimedOut`] with `what` if the condition did not hold in time.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let mut countdown = 3;
/// testcluster::wait_until("the countdown is over", Duration::from_secs(5), || {
///     countdown -= 1;
///     countdown == 0
/// })?;
/// # Ok::<(), testcluster::Error>(())
/// ```
pub fn wait_until(
    what: impl Into<String>,
    within: Duration,
    mut condition: impl FnMut() -> bool,
) -> Result<()> {
    try_wait_until(what, within, || Ok(condition()))
}

/// [`wait_until`] for a condition that can fail, which ends the waiting.
pub(crate) fn try_wait_until(
    what: impl Into<String>,
    within: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let start = Instant::now();
    while !condition()? {
        if start.elapsed() >= within {
            return Err(Error::TimedOut {
                what: what.into(),
                after: within,
            });
        }
        thread::sleep(INTERVAL);
    }
    Ok(())
}
