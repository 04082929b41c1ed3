//! What is being worked on, and how it is ended: requests are heard while earlier ones are still being answered.

use std::cell::RefCell;
use std::rc::Rc;

use engine::{Breath, StopFlag};
use futures_util::future::AbortHandle;
use protocol::Request;

/// How what is being worked on can be ended.
#[derive(Clone)]
pub(crate) struct Work {
    stops: Rc<RefCell<Stops>>,
    /// Lets requests be heard.
    breath: Breath,
}

#[derive(Default)]
struct Stops {
    load: Option<AbortHandle>,
    answer: StopFlag,
    /// Of what is done while nothing is asked for: every request ends it.
    beginning: StopFlag,
    /// Requests heard so far that end what came before them.
    heard: u32,
    /// Requests heard whose turn has not come.
    waiting: u32,
}

impl Work {
    /// None yet. Requests are heard whenever there is a breath.
    pub(crate) fn new(breath: Breath) -> Work {
        Work { stops: Rc::default(), breath }
    }

    /// Stop ends what is going on at once; so does a new load. Gives the number of such requests up to this one.
    pub(crate) fn hear(&self, request: &Request) -> u32 {
        let mut stops = self.stops.borrow_mut();
        stops.beginning.stop();
        stops.waiting += 1;
        if matches!(request, Request::Stop | Request::Load { .. }) {
            stops.heard = stops.heard.wrapping_add(1);
            stops.answer.stop();
            if let Some(load) = &stops.load {
                load.abort();
            }
        }
        stops.heard
    }

    /// The turn of the next request has come.
    pub(crate) fn begin_turn(&self) {
        self.stops.borrow_mut().waiting -= 1;
    }

    /// Whether a request was ended before its turn came, while an earlier one was still being worked on.
    pub(crate) fn is_over(&self, heard: u32) -> bool {
        self.stops.borrow().heard != heard
    }

    /// A load is ended by this from here on.
    pub(crate) fn begin_load(&self, handle: AbortHandle) {
        self.stops.borrow_mut().load = Some(handle);
    }

    /// Nothing is being loaded any more.
    pub(crate) fn end_load(&self) {
        self.stops.borrow_mut().load = None;
    }

    /// What is asked already need not wait for it.
    pub(crate) fn begin_beginning(&self) -> StopFlag {
        let flag = self.flag();
        let mut stops = self.stops.borrow_mut();
        if stops.waiting > 0 {
            flag.stop();
        }
        stops.beginning = flag.clone();
        flag
    }

    /// An answer to a request, unless that was ended before its turn came.
    pub(crate) fn begin_answer(&self, heard: u32) -> StopFlag {
        let flag = self.flag();
        if self.is_over(heard) {
            flag.stop();
        }
        self.stops.borrow_mut().answer = flag.clone();
        flag
    }

    fn flag(&self) -> StopFlag {
        StopFlag::with_breath(self.breath.clone())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::AbortHandle;

    use super::*;

    fn work() -> Work {
        Work::new(Rc::new(|| Box::pin(async {})))
    }

    fn load() -> Request {
        let source = protocol::ModelSource::File { name: "model.gguf".to_owned() };
        Request::Load { source, options: protocol::LoadOptions::default() }
    }

    fn forget() -> Request {
        Request::Forget { url: "https://example.org/model.gguf".to_owned() }
    }

    /// What is read beforehand begins once a load is done, while so many requests wait.
    #[test]
    fn the_beginning_waits_for_no_request() {
        for (heard, begun, is_over) in [(1, 1, false), (2, 1, true), (3, 2, true), (3, 3, false)] {
            let work = work();
            for _ in 0..heard {
                work.hear(&forget());
            }
            (0..begun).for_each(|_| work.begin_turn());
            let beginning = work.begin_beginning();
            assert_eq!(beginning.is_set(), is_over, "{heard} heard, {begun} begun");
            work.hear(&forget());
            assert!(beginning.is_set(), "{heard} heard, {begun} begun, then another");
        }
    }

    #[test]
    fn only_a_stop_or_another_load_ends_an_answer() {
        for (request, ends) in [(forget(), false), (Request::Stop, true), (load(), true)] {
            let work = work();
            let asked = work.hear(&forget());
            work.begin_turn();
            let answer = work.begin_answer(asked);
            assert!(!answer.is_set());
            work.hear(&request);
            assert_eq!((answer.is_set(), work.is_over(asked)), (ends, ends), "{request:?}");
            // What was asked before it, and has not begun, is ended with it.
            assert_eq!(work.begin_answer(asked).is_set(), ends, "{request:?}");
        }
    }

    #[test]
    fn a_load_is_ended_while_it_is_one() {
        for (request, ends) in [(forget(), false), (Request::Stop, true), (load(), true)] {
            let work = work();
            let (of_load, _) = AbortHandle::new_pair();
            work.begin_load(of_load.clone());
            work.hear(&request);
            assert_eq!(of_load.is_aborted(), ends, "{request:?}");

            let (done, _) = AbortHandle::new_pair();
            work.begin_load(done.clone());
            work.end_load();
            work.hear(&request);
            assert!(!done.is_aborted(), "{request:?}");
        }
    }
}
