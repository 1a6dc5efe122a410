//! Work that takes long enough to be in the way of a thread's other tasks.

/// Few messages, of which the signatures take a millisecond if all tokens are new.
const MESSAGES_AT_ONCE: usize = 32;
/// And not much in them: a batch of payments is one message.
const BYTES_AT_ONCE: usize = 64 * 1024;

/// Does work on so many messages with so many bytes together. Tokio moves the thread's other tasks elsewhere first, which is
/// not worth it for a few small ones.
pub(crate) fn work_through<T>(messages: usize, bytes: usize, work: impl FnOnce() -> T) -> T {
    if messages < MESSAGES_AT_ONCE && bytes < BYTES_AT_ONCE {
        work()
    } else {
        tokio::task::block_in_place(work)
    }
}
