//! Work that takes long enough to be in the way of a thread's other tasks.

/// Below so many items, handing the other tasks over costs about as much as the work.
const ITEMS_AT_ONCE: usize = 32;

/// Does work on so many items: payments to verify, leaves to hash. Tokio moves the thread's other tasks elsewhere first,
/// unless there are only a few.
pub(crate) fn work_through<T>(items: usize, work: impl FnOnce() -> T) -> T {
    if items < ITEMS_AT_ONCE {
        work()
    } else {
        tokio::task::block_in_place(work)
    }
}
