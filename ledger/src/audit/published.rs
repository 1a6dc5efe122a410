//! The answers that are published, in portions of any size.

use common::broker::{BATCH_MESSAGES_MAX, ReadError, Reader};
use common::message::Stored;

use crate::core::event::Event;

/// SETTLEMENTS, read in order.
pub(super) struct Published {
    reader: Reader,
    read: Vec<Stored>,
    last: u64,
}

impl Published {
    /// From the first answer to the `last`.
    pub(super) fn new(reader: Reader, last: u64) -> Self {
        Self {
            reader,
            read: Vec::new(),
            last,
        }
    }

    /// The answers from `first` on, `count` of them or as many as are published.
    pub(super) async fn take(&mut self, first: u64, count: usize) -> Result<Vec<Event>, ReadError> {
        let published =
            usize::try_from((self.last + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let count = count.min(published);
        while self.read.len() < count {
            self.read
                .extend(self.reader.batch(BATCH_MESSAGES_MAX).await?);
        }
        let rest = self.read.split_off(count);
        Ok(std::mem::replace(&mut self.read, rest)
            .iter()
            .map(Event::of_message)
            .collect())
    }
}
