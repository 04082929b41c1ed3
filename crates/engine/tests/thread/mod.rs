//! A second worker, as a thread.

use std::sync::mpsc::{Receiver, Sender, channel};

use engine::{Deputy, Line, LineAnswer};

/// A deputy on a thread, who goes away after so many orders.
pub(crate) struct Thread {
    orders: Sender<Vec<u8>>,
    answers: Receiver<Vec<u8>>,
}

impl Thread {
    /// What is to be done before an order is obeyed is done on the thread.
    pub(crate) fn start(orders_to_obey: usize, before: impl Fn(&[u8]) + Send + 'static) -> Box<Thread> {
        let ((orders, from), (to, answers)) = (channel::<Vec<u8>>(), channel());
        std::thread::spawn(move || {
            let mut deputy = Deputy::default();
            for order in from.iter().take(orders_to_obey) {
                before(&order);
                let answer = deputy.obey(&order).unwrap();
                // Nobody may be waiting any more, when a test ends.
                drop(to.send(answer));
            }
        });
        Box::new(Thread { orders, answers })
    }
}

impl Line for Thread {
    fn send(&mut self, order: Vec<u8>) {
        // Who does not hear it does not answer, and that is what shows.
        drop(self.orders.send(order));
    }

    fn answer(&mut self) -> LineAnswer<'_> {
        let answer = self.answers.recv().map_err(|_| "the thread has ended".to_string());
        Box::pin(async { answer })
    }
}
