//! Tells the operator that a disk stands still, while it does.
//!
//! The thread that writes cannot say so: it waits for the disk. Another thread looks at it.
//! That one sleeps while nothing is written.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a disk may take before the operator is told.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// A disk that stands still now and then is told of once, until it went well for so long.
const RELAPSE: Duration = Duration::from_secs(60);

/// A watch over the work of one thread. The watch ends when this is dropped.
pub struct Patience(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Since when the thread works.
    since: Option<Instant>,
    /// The watch waits for work.
    sleeps: bool,
    over: bool,
}

impl Patience {
    /// Begins a watch that tells of work that takes too long. Without a thread for it, there
    /// is none.
    pub fn new<F: Fn() + Send + Sync + 'static>(tell: Arc<F>) -> Patience {
        let shared = Arc::<Shared>::default();
        let watched = shared.clone();
        thread::Builder::new().spawn(move || watched.watch(&*tell)).ok();
        Patience(shared)
    }

    /// Does something under watch.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.set(Some(Instant::now()));
        let done = work();
        self.0.set(None);
        done
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    fn set(&self, since: Option<Instant>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.since = since;
        if since.is_some() && state.sleeps {
            self.changed.notify_one();
        }
    }

    fn watch(&self, tell: impl Fn()) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // When a disk was last seen to stand still.
        let mut seen: Option<Instant> = None;
        while !state.over {
            let now = Instant::now();
            let wait = match state.since {
                None => None,
                Some(since) if now < since + PATIENCE => Some(since + PATIENCE - now),
                Some(_) => {
                    let relapses = seen.is_some_and(|seen| now < seen + RELAPSE);
                    seen = Some(now);
                    if !relapses {
                        drop(state);
                        tell();
                        state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                    }
                    Some(PATIENCE)
                }
            };
            state.sleeps = wait.is_none();
            state = match wait {
                Some(wait) => {
                    let waited = self.changed.wait_timeout(state, wait);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn work_that_takes_too_long_is_told_once() {
        let (tell, told) = mpsc::channel();
        let patience = Patience::new(Arc::new(move || tell.send(()).expect("the test listens")));
        for _ in 0..1000 {
            patience.during(|| ());
        }
        assert!(told.try_recv().is_err());
        patience.during(|| told.recv_timeout(10 * PATIENCE).expect("it is told"));
        patience.during(|| thread::sleep(PATIENCE + PATIENCE / 4)); // Once is enough.
        drop(patience);
        assert!(told.recv().is_err(), "the watch ends");
    }
}
