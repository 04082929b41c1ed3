//! Trying again: what may go away by itself gets several tries, with growing pauses, and goes on where it ended.

use std::ops::Range;

use crate::{Source, StoreError};

/// Tries without a single further byte before giving up.
const TRIES: u32 = 5;

/// Milliseconds before the second try; doubled before each further one.
const FIRST_PAUSE: u32 = 500;

/// A host that asks for a longer wait than this many seconds gets none: the person is told instead.
const LONGEST_WAIT: u32 = 300;

/// The file's size, over several tries; `next` as in [`Source::size`].
pub(crate) async fn size<S: Source>(source: &S, next: u64) -> Result<u64, StoreError> {
    let mut tries = Tries::default();
    loop {
        match source.size(next).await {
            Err(error) => tries.after(error, source).await?,
            size => return size,
        }
    }
}

/// Appends the whole of `range` to `into`, over as many tries as bytes keep coming.
pub(crate) async fn read<S: Source>(
    source: &S,
    range: Range<u64>,
    into: &mut Vec<u8>,
    arrived: &mut dyn FnMut(u64),
) -> Result<(), StoreError> {
    let before = into.len();
    let mut tries = Tries::default();
    loop {
        let start = range.start + (into.len() - before) as u64;
        let result = source.read(start..range.end, into, arrived).await;
        let at = range.start + (into.len() - before) as u64;
        if at > range.end {
            let found = format!("{} bytes more", at - range.end);
            return Err(StoreError::WrongRange { name: source.name().into(), expected: range, found });
        }
        if at > start {
            tries = Tries::default();
        }
        match result {
            Err(error) if !error.is_transient() => return Err(error),
            // However the last try ended, all bytes are there.
            _ if at == range.end => return Ok(()),
            Ok(()) => {
                let cut = StoreError::Cut { name: source.name().into(), at, end: range.end };
                tries.after(cut, source).await?;
            }
            Err(error) => tries.after(error, source).await?,
        }
    }
}

#[derive(Default)]
struct Tries(u32);

impl Tries {
    /// Waits before the next try, or fails if there is none.
    async fn after<S: Source>(&mut self, error: StoreError, source: &S) -> Result<(), StoreError> {
        let asked = match &error {
            StoreError::Busy { retry_after: Some(seconds), .. } => *seconds,
            _ => 0,
        };
        if !error.is_transient() || asked > LONGEST_WAIT {
            return Err(error);
        }
        self.0 += 1;
        if self.0 >= TRIES {
            return Err(StoreError::GaveUp { tries: self.0, last: Box::new(error) });
        }
        source.pause((FIRST_PAUSE << (self.0 - 1)).max(asked * 1000)).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, MemorySource};

    const BYTES: &[u8] = b"0123456789abcdefghij";

    fn busy(retry_after: Option<u32>) -> StoreError {
        StoreError::Busy { name: "memory".into(), status: 429, retry_after }
    }

    fn cut(at: u64) -> StoreError {
        StoreError::Cut { name: "memory".into(), at, end: 18 }
    }

    fn missing() -> StoreError {
        StoreError::NotFound { name: "memory".into(), status: 404 }
    }

    /// Reads bytes 3 to 17 behind a prefix, the calls failing in the order of `faults`.
    #[track_caller]
    fn check(faults: &[Fault], expected: Result<(), StoreError>, calls: u32, paused: u64) {
        let source = MemorySource::new(BYTES.to_vec());
        (0..).zip(faults).for_each(|(call, fault)| source.plan(call, fault.clone()));
        let mut into = b"prefix".to_vec();
        let mut arrived = 0;
        let result = pollster::block_on(read(&source, 3..18, &mut into, &mut |n| arrived += n));
        assert_eq!((result, source.calls(), source.paused()), (expected, calls, paused), "{faults:?}");
        assert!([b"prefix", &BYTES[3..18]].concat().starts_with(&into), "{into:?}");
        assert_eq!(arrived as usize, into.len() - 6);
    }

    #[test]
    fn goes_on_where_it_ended() {
        check(&[], Ok(()), 1, 0);
        check(&[Fault::CutAfter(4), Fault::EndAfter(1)], Ok(()), 3, 1000);
        // Every byte that comes starts the tries anew.
        check(&vec![Fault::CutAfter(1); 15], Ok(()), 15, 14 * 500);
    }

    #[test]
    fn waits_longer_each_time_and_gives_up() {
        let gone = |last| Err(StoreError::GaveUp { tries: 5, last: Box::new(last) });
        check(&vec![Fault::CutAfter(0); 5], gone(cut(3)), 5, 500 + 1000 + 2000 + 4000);
        check(&vec![Fault::EndAfter(0); 5], gone(cut(3)), 5, 7500);
        let four_then_one =
            [vec![Fault::CutAfter(0); 4], vec![Fault::CutAfter(2)], vec![Fault::CutAfter(0); 4]];
        check(&four_then_one.concat(), gone(cut(5)), 9, 7500 + 7500);
    }

    #[test]
    fn waits_as_long_as_the_host_asks() {
        check(&[Fault::Fail(busy(Some(30))), Fault::Fail(busy(None))], Ok(()), 3, 30_000 + 1000);
        check(&[Fault::Fail(busy(Some(0)))], Ok(()), 2, 500);
        check(&[Fault::Fail(busy(Some(300)))], Ok(()), 2, 300_000);
        check(&[Fault::Fail(busy(Some(301)))], Err(busy(Some(301))), 1, 0);
    }

    #[test]
    fn does_not_repeat_what_will_not_change() {
        check(&[Fault::Fail(missing())], Err(missing()), 1, 0);
        check(&[Fault::CutAfter(2), Fault::Fail(missing())], Err(missing()), 2, 500);
    }

    #[test]
    fn asks_for_the_size_again() {
        let source = MemorySource::new(BYTES.to_vec());
        (0..4).for_each(|call| source.plan(call, Fault::Fail(busy(None))));
        assert_eq!(pollster::block_on(size(&source, 0)), Ok(20));
        assert_eq!((source.calls(), source.paused()), (5, 7500));
        source.plan(5, Fault::Fail(missing()));
        assert_eq!(pollster::block_on(size(&source, 0)), Err(missing()));
    }
}
