//! How far a reader may lag before fast senders wait for it.
//!
//! This file is the whole rule for slow readers. The room asks it how much lag is allowed,
//! and tells it what became of each batch.

use std::mem;
use std::time::Duration;

/// Lag, in bytes, from which senders are slowed down for a reader that still reads. A few
/// fast senders are half of this ahead of everybody for a moment.
pub(super) const SOFT_LAG: usize = 256 << 10;
/// The greatest lag, in bytes, that senders wait for. It stays below the transcript's
/// length, so that a reader that reads is never evicted.
const HARD_LAG: usize = (1 << 20) - (128 << 10);
/// How long the allowed lag takes to grow from [`SOFT_LAG`] to [`HARD_LAG`] while a reader
/// takes nothing. After that no sender waits for it.
const GRACE: Duration = Duration::from_secs(1);
/// The same for a reader that was slow before and then read on. Some systems take nothing
/// more from the server until a few hundred KiB were read.
const LONG_GRACE: Duration = Duration::from_secs(4);
/// How long an attempt to send counts as recent.
const RECENTLY: Duration = Duration::from_millis(500);
/// How long senders wait for a reader before it counts as slow.
const SLOW: Duration = Duration::from_millis(150);
/// How often a reader must have been slow and read on before [`LONG_GRACE`] holds. Once is
/// no proof, because the systems between take a last batch by themselves.
const LATE: u32 = 2;

/// The memory of the rule about one reader. It is empty for most, so that an idle session
/// takes little memory.
#[derive(Default)]
pub(super) struct Lag(Option<Box<Memory>>);

/// The same about a reader for which something waited, or that once refused a batch.
#[derive(Default)]
struct Memory {
    waits: Waits,
    /// The waits that ended when the batch in flight was read. They go on if the
    /// connection accepts none of it.
    before_batch: Waits,
    /// How often the reader was slow, and then read on.
    late: u32,
    /// No connection reports attempts for this reader.
    untested: bool,
}

/// Since when something waits for a reader.
#[derive(Clone, Copy, Default)]
struct Waits {
    /// When the first sender had to wait, and the lag at that time, in bytes.
    senders: Option<(Duration, usize)>,
    /// The senders have waited for [`SLOW`].
    long: bool,
    /// When the memory for private lines became scarce.
    memory: Option<Duration>,
    /// When the connection last accepted nothing.
    refused: Duration,
}

impl Waits {
    fn any(&self) -> bool {
        self.senders.is_some() || self.memory.is_some()
    }

    /// Whether a wait since that time has lasted long enough, and for a reader that does
    /// not read: the connection refused a batch recently.
    fn are_in_vain(&self, since: Duration, grace: Duration, now: Duration) -> bool {
        now.saturating_sub(since) >= grace && now.saturating_sub(self.refused) <= RECENTLY
    }
}

impl Lag {
    /// The state of a reader that has no connection. Its own silence is the only sign.
    pub fn untested() -> Lag {
        Lag(Some(Box::new(Memory { untested: true, ..Memory::default() })))
    }

    /// The reader asks for a batch, so it has taken the last one.
    pub fn batch_taken(&mut self) {
        if let Some(memory) = &mut self.0
            && memory.before_batch.any()
        {
            memory.late += u32::from(mem::take(&mut memory.before_batch).long);
        }
    }

    /// The reader was given a batch. Senders wait no longer, if it takes that.
    pub fn batch_given(&mut self) {
        if let Some(memory) = &mut self.0
            && memory.waits.any()
        {
            memory.before_batch = mem::take(&mut memory.waits);
        }
    }

    /// The connection accepted no byte of the batch.
    pub fn batch_refused(&mut self, now: Duration) {
        let memory = self.0.get_or_insert_default();
        memory.waits = Waits { refused: now, ..mem::take(&mut memory.before_batch) };
    }

    /// How many bytes a reader with this lag may lag now. None if it does not read.
    ///
    /// The lag at which the senders begin to wait is always allowed, so that no sender is
    /// held up because the reader has just read something.
    pub fn allowed(&mut self, lag: usize, now: Duration) -> Option<usize> {
        let memory = self.0.get_or_insert_default();
        let (since, base) = *memory.waits.senders.get_or_insert((now, lag.min(HARD_LAG)));
        let silent = now.saturating_sub(since);
        memory.waits.long |= silent >= SLOW;
        let grace = if memory.late >= LATE { LONG_GRACE } else { GRACE };
        let part = silent.min(grace).as_millis() as usize;
        let gained = (HARD_LAG - base) * part / grace.as_millis() as usize;
        let in_vain = match memory.untested {
            true => silent >= grace,
            false => memory.waits.are_in_vain(since, grace, now),
        };
        (!in_vain).then_some(base + gained)
    }

    /// Whether the reader has read none of its private lines since memory became scarce.
    pub fn is_silent(&mut self, now: Duration) -> bool {
        let waits = &mut self.0.get_or_insert_default().waits;
        let since = *waits.memory.get_or_insert(now);
        waits.are_in_vain(since, GRACE, now)
    }

    /// How often the reader was slow, and then read on.
    #[cfg(test)]
    pub fn late(&self) -> u32 {
        self.0.as_ref().map_or(0, |memory| memory.late)
    }
}
