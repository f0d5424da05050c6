//! Ctrl-C: the first one cancels the running statement, the second one ends the process.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sluice::{Error, ErrorCode};
use tokio::sync::Notify;

use crate::failure::Failure;

/// What a shell gives for a process that Ctrl-C has ended.
const EXIT_CODE: i32 = 130;

#[derive(Default)]
struct State {
    cancelling: AtomicBool,
    pressed: Notify,
}

/// Turns Ctrl-C into the end of a statement.
#[derive(Clone)]
pub(crate) struct Interrupts(Arc<State>);

impl Interrupts {
    /// Takes Ctrl-C over for the rest of the process. Needs a runtime.
    pub(crate) fn listen() -> Self {
        let state = Arc::new(State::default());
        let listener = Arc::clone(&state);
        // A thread of the runtime, so that a statement that computes without a pause cannot keep the second Ctrl-C
        // from being seen. It lives as long as the process and there is nothing to cancel.
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if listener.cancelling.swap(true, Ordering::SeqCst) {
                    std::process::exit(EXIT_CODE);
                }
                listener.pressed.notify_one();
            }
        });
        Self(state)
    }

    /// Runs `work` until it ends or Ctrl-C drops it, which cancels whatever it does.
    pub(crate) async fn guard<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let outcome = tokio::select! {
            biased;
            () = self.0.pressed.notified() => Err(Error::new(ErrorCode::Cancelled, "the statement was cancelled").into()),
            outcome = work => outcome,
        };
        // Only now may another Ctrl-C count as the first one: cancelling can take a while.
        self.0.cancelling.store(false, Ordering::SeqCst);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_interrupt_drops_the_work_and_only_that_work() {
        let interrupts = Interrupts(Arc::new(State::default()));
        interrupts.0.cancelling.store(true, Ordering::SeqCst);
        interrupts.0.pressed.notify_one();
        let stopped: Result<(), Failure> = interrupts.guard(std::future::pending()).await;
        let Err(Failure::Error(report)) = stopped else { panic!("an error was expected") };
        assert_eq!(report.error.code(), ErrorCode::Cancelled);
        assert!(!interrupts.0.cancelling.load(Ordering::SeqCst));
        assert!(matches!(interrupts.guard(async { Ok(7) }).await, Ok(7)));
    }
}
