//! A bounded log with one cursor per reader, in memory or on disk.
//!
//! A [`Journal`] takes opaque chunks at one end; any number of [`Reader`]s take them at the other, each at its own
//! pace. On disk a [`Writer`] brings the chunks to files, as bytes that a [`Codec`] makes of them.
//!
//! # Constraints
//!
//! 1. **Appending never waits**, and costs the same however much waits in the journal. Who can wait asks for
//!    [room](Journal::room) first.
//! 2. **Nothing grows without a bound.** At most `max_bytes` wait. At the limit, readers that may miss chunks skip
//!    the oldest; for the sake of a reader that may not, new chunks are refused.
//! 3. **Everything that a reader misses is counted**: what it read, what it missed and what it has still to read add
//!    up to what was appended since the reader began.
//! 4. **A receipt tells the truth.** In memory, `Stored` means appended. On disk it means synced; `Held` means that
//!    the disk failed and the chunk is in memory only.
//! 5. **Readers see chunks in order**, each once unless they rewind or the program ends before a commit is stored.
//! 6. **A position is used once**, through restarts and failures.
//! 7. **A reader that keeps up never touches the disk**: recent chunks stay in memory.
//! 8. **Damage stays where it is.** A flipped or cut byte costs the frames it hits. It never yields a wrong chunk, ends
//!    the program, or costs a frame of another segment.
//! 9. **A file that failed to be written or synced is not written again**: what the kernel holds of it is unknown. The
//!    journal goes on in memory and returns to disk, in a new file, when that works.
//! 10. No decision depends on the clock of the machine; it is only used to tell ages.
//!
//! # Format on disk
//!
//! One directory, used by one process at a time:
//!
//! ```text
//! lock                        locked while in use; holds the process id
//! cursors                     where each reader is; replaced as a whole
//! 00000000000000000042.seg    a segment, named after the position of its first frame
//! ```
//!
//! A segment is frames and nothing else. A frame is one chunk; numbers are little-endian:
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 4 | `SOSJ` |
//! | 4 | 4 | format version: 1 |
//! | 8 | 8 | a random number, the same in each frame of a segment |
//! | 16 | 8 | position: 0 for the first chunk of the journal, then one more for each |
//! | 24 | 8 | events that were appended before this chunk, ever |
//! | 32 | 8 | when it was appended, in nanoseconds since 1970 |
//! | 40 | 8 | an estimate of the memory that the chunk takes, in bytes |
//! | 48 | 4 | events in the chunk |
//! | 52 | 4 | length of the kinds |
//! | 56 | 4 | length of the payload |
//! | 60 | 4 | CRC32C of kinds and payload |
//! | 64 | 4 | CRC32C of the 64 bytes above |
//! | 68 | | kinds: for each a length in two bytes, then the name |
//! | | | payload: the bytes of the codec |
//!
//! Two checksums, because a header that is sound tells where the next frame begins even if its payload is damaged. If
//! the header is damaged, the next frame is found by searching. Payloads hold text that strangers wrote; the random
//! number keeps them from writing something that the search would take for a frame.
//!
//! `cursors` is text: a title, one line `position events name` for each reader, and `crc32c` of the lines above.
//!
//! # Operations
//!
//! **Append** puts the chunk into the recent ones in memory and, on disk, into the queue of the writer.
//!
//! **Write.** The writer takes what is queued, one `fsync` interval after the first of it or when it is about a
//! mebibyte, and writes and syncs it at once. Readers that are new are stored before the first receipt that they
//! matter for. A segment that is large enough is left for a new one.
//!
//! **Read.** A reader takes recent chunks from memory. One that is further behind reads segments ahead, on a thread for
//! blocking work.
//!
//! **Commit** moves the cursor. Chunks that every reader has committed leave the memory at once; cursors are stored
//! about once a second, and then segments are deleted that every stored cursor has passed. After a crash a reader
//! may see the last second again.
//!
//! **Open** reads the first header of each segment and all of the last one, whose torn end is cut off. Appending goes
//! on in a new segment. Stored cursors of readers that do not come back keep their place until the limit is reached.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use senseops_journal::{Journal, Overflow};
//!
//! let journal = Journal::in_memory(1024 * 1024);
//! let mut reader = journal.reader("print", Overflow::DropOldest);
//! journal.append("two events", 2, 10).ignore();
//!
//! let entry = reader.next().await;
//! assert_eq!((entry.chunk, reader.lag().events), ("two events", 2));
//! reader.commit(entry.position);
//! assert_eq!(reader.lag().events, 0);
//! # }
//! ```

mod codec;
mod cursor;
mod cursor_file;
mod disk;
mod frame;
mod journal;
#[cfg(test)]
mod model;
mod open;
mod reader;
mod recent;
mod segment;
mod state;
mod writer;

pub use codec::Codec;
pub use cursor::{Lag, Overflow};
pub use journal::{Entry, Journal, Position, Status};
pub use open::{DiskSettings, OpenError};
pub use reader::{Reader, ReaderWatch};
pub use writer::Writer;
