//! Waiting for an answer, but not for ever.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use gpu::Pause;
use web_time::Instant;

use super::stand::Fault;
use crate::StopFlag;

/// What passes between two looks at the clock counts as no more than this: a computer that was asleep has waited for nothing.
const MOST_AT_ONCE: Duration = Duration::from_secs(1);

/// The answer, unless it takes longer than `limit` or is not wanted any more. Clock and flag are looked at whenever a pause
/// is over.
pub(super) async fn within<T>(
    answer: impl Future<Output = T>,
    limit: Duration,
    pause: &Pause,
    stop: &StopFlag,
) -> Result<T, Fault> {
    let (mut answer, mut over) = (pin!(answer), pause());
    let (mut waited, mut last) = (Duration::ZERO, Instant::now());
    let wait = poll_fn(|context| {
        loop {
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(Ok(answer));
            }
            if stop.is_set() {
                return Poll::Ready(Err(Fault::Stopped));
            }
            waited += last.elapsed().min(MOST_AT_ONCE);
            last = Instant::now();
            if waited >= limit {
                return Poll::Ready(Err(Fault::NoAnswer));
            }
            if over.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            over = pause();
        }
    });
    wait.await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use pollster::block_on;

    use super::super::tests::pause;
    use super::*;

    const LIMIT: Duration = Duration::from_millis(20);

    #[test]
    fn an_answer_comes_or_the_limit_does() {
        let slow = async {
            pause()().await;
            7
        };
        let stop = StopFlag::default();
        assert_eq!(block_on(within(ready(7), Duration::ZERO, &pause(), &stop)), Ok(7));
        assert_eq!(block_on(within(slow, LIMIT, &pause(), &stop)), Ok(7));
        assert_eq!(block_on(within(pending::<u32>(), LIMIT, &pause(), &stop)), Err(Fault::NoAnswer));
        stop.stop();
        assert_eq!(block_on(within(pending::<u32>(), Duration::MAX, &pause(), &stop)), Err(Fault::Stopped));
    }
}
