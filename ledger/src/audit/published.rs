//! The answers that are published, in portions of any size.

use common::message::Stored;

use super::error::ReplayError;
use super::source::Source;
use crate::core::event::Event;

/// SETTLEMENTS, read in order.
pub(super) struct Published {
    source: Source,
    read: Vec<Stored>,
    last: u64,
}

impl Published {
    /// From the first answer to the `last`.
    pub(super) fn new(source: Source, last: u64) -> Self {
        Self {
            source,
            read: Vec::new(),
            last,
        }
    }

    /// The answers from `first` on, `count` of them or as many as are published.
    pub(super) async fn take(
        &mut self,
        first: u64,
        count: usize,
    ) -> Result<Vec<Event>, ReplayError> {
        let published =
            usize::try_from((self.last + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let count = count.min(published);
        while self.read.len() < count {
            self.read.extend(self.source.next().await?);
        }
        let rest = self.read.split_off(count);
        Ok(std::mem::replace(&mut self.read, rest)
            .iter()
            .map(Event::of_message)
            .collect())
    }
}
