//! Waking a browser that looks only now and then whether a buffer is mapped.
//!
//! Firefox looks every 100 ms, and whenever something is submitted (its bug 1870699): without a nudge no answer comes
//! faster than 10 tokens a second, on any GPU.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

/// Lets some milliseconds pass.
pub type Pause = Rc<dyn Fn() -> Pin<Box<dyn Future<Output = ()>>>>;

/// Waits for `answer`, and calls `nudge` after every pause until it has come.
pub(crate) async fn nudged<T>(answer: impl Future<Output = T>, pause: &Pause, nudge: impl Fn()) -> T {
    let mut answer = pin!(answer);
    let mut over = pause();
    let wait = poll_fn(|context| {
        loop {
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            if over.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            nudge();
            over = pause();
        }
    });
    wait.await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use pollster::block_on;

    use super::*;

    /// Pending the first `polls` times.
    fn after(polls: u32) -> impl Future<Output = ()> {
        let mut left = polls;
        poll_fn(move |context| {
            context.waker().wake_by_ref();
            left = left.saturating_sub(1);
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    #[test]
    fn it_is_nudged_until_it_comes() {
        // Every second poll a pause is over, which costs the answer one more.
        for (polls, expected) in [(1, 0), (2, 0), (3, 1), (9, 4)] {
            let nudges = Cell::new(0);
            let pause: Pause = Rc::new(|| Box::pin(after(2)));
            block_on(nudged(after(polls), &pause, || nudges.set(nudges.get() + 1)));
            assert_eq!(nudges.get(), expected, "an answer after {polls} polls");
        }
    }
}
