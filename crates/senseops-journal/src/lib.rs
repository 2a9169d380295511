//! A bounded log with one cursor per reader, in memory or on disk.
//!
//! A [`Journal`] takes opaque chunks at one end; any number of [`Reader`]s take them at the other, each at its own
//! pace. On disk a [`Writer`] brings the chunks to files, as bytes that a [`Codec`] makes of them; in memory a
//! [keeper](Journal::keep) packs as such bytes what waits for long.
//!
//! # Constraints
//!
//! 1. **Appending never waits**, and costs the same however much waits in the journal. Who can wait asks for
//!    [room](Journal::room) first.
//! 2. **Nothing grows without a bound.** At most `max_bytes` wait, and for `max_age`. At a limit, readers that may miss
//!    chunks skip the oldest, and so do those that are absent; for the sake of a reader that may not, new chunks are
//!    refused and old ones kept.
//! 3. **Everything that a reader misses is counted**: what it read, what it missed and what it has still to read add
//!    up to what was appended since the reader began.
//! 4. **A receipt tells the truth.** In memory, `Stored` means appended. On disk it means synced, or that no reader needs
//!    the chunk any more; `Held` means that the disk failed and the chunk is in memory only.
//! 5. **Readers see chunks in order**, each once unless they rewind or the program ends before a commit is stored. A
//!    reader that goes away keeps its place until it comes back or is [forgotten](Journal::forget); in memory, for ten
//!    minutes. One that is there twice is only there in its newer form.
//! 6. **A position is used once**, through restarts and failures.
//! 7. **A reader that keeps up never touches the disk**: recent chunks stay in memory.
//! 8. **Damage stays where it is.** A flipped or cut byte costs the frames it hits. It never yields a wrong chunk, ends
//!    the program, or costs a frame of another segment. It is counted, and a damaged segment is set aside rather than
//!    deleted.
//! 9. **A disk that hangs is a disk that failed**: nobody waits for it for longer than ten seconds, and what every reader
//!    has leaves the queue of the writer when that gets long.
//! 10. **A file that failed to be written or synced is not written or synced again**: what the kernel holds of it is
//!     unknown. The journal goes on in memory and returns to disk, in a new file, when that works.
//! 11. **Names are durable before anything depends on them**: whatever creates or renames a file syncs its directory.
//! 12. No decision but the age limit depends on the clock of the machine, and that is asked only when the journal is
//!     opened: setting it later ages nothing.
//!
//! # Format on disk
//!
//! One directory, used by one process at a time:
//!
//! ```text
//! lock                          locked while in use; holds the process id
//! cursors                       where each reader is; replaced as a whole
//! 00000000000000000042.seg      a segment, named after the position of its first frame
//! 00000000000000000007.damaged  a segment that is damaged and was passed; the last four are kept
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
//! **Write.** The writer takes what is queued, up to a segment, and writes and syncs it at once: one `fsync` interval
//! after the first of it, when it is as much as a segment, or when
//! [somebody waits for it](senseops_core::Receipt::outcome_now). Readers that are new are stored before the first
//! receipt that they matter for. A segment that is large enough, or as old as an eighth of the age limit, is left for a
//! new one. No space is reserved ahead: a write that finds none is told so in its receipts, and the end of a reserved
//! file would be hard to tell from damage.
//!
//! **Fail.** When the disk fails, what waits for it is held in memory, 256 MiB at most. Every few seconds the writer
//! tries to store the cursors and to write a probe. Once that works, what is still held is written, in order and at its
//! place, and then what is appended goes to disk again. What readers have passed by then is not written; where it is
//! the journal itself that has filled the disk, it is deleted first.
//!
//! **Pack.** Of what is in memory only and waits for the slowest reader, all but the newest 8 MiB, or a quarter of the
//! limit, becomes blocks: about 128 KiB of frames each, as on disk, compressed by LZ4. They are read, given up and
//! deleted as a whole.
//!
//! **Read.** A reader takes recent chunks from memory. One that is further behind reads segments or blocks ahead, on a
//! thread for blocking work, and passes chunks undecoded of whose kinds it wants none. A segment that is gone, or bytes
//! that do not fit their checksum, are damage; any other error is waited out, and the status says so.
//!
//! **Commit** moves the cursor. Chunks that every reader has committed leave the memory at once; cursors are stored
//! about once a second, and then segments are deleted that every stored cursor has passed. After a crash a reader
//! may see the last second again.
//!
//! **Open** reads the first frame of each segment and all of the last one, whose torn end is cut off. Appending goes
//! on in a new segment. Stored cursors of readers that do not come back keep their place until a limit is reached.
//!
//! **Inspect** reads everything and changes nothing, also while the journal is in use.
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

mod block;
mod books;
mod codec;
mod cursor;
mod cursor_file;
mod directory;
mod disk;
mod files;
mod frame;
mod inspect;
mod journal;
mod keeper;
mod lock;
#[cfg(test)]
mod model;
mod open;
mod position;
mod quarantine;
mod reader;
mod recent;
mod recover;
mod segment;
mod shared;
mod slot;
mod status;
mod writer;

pub use books::ForgetError;
pub use codec::{Codec, Wants};
pub use files::{create_directory, sync_directory};
pub use inspect::{DamagedPlace, ForgetOfflineError, InspectError, Inspection, forget_offline, inspect};
pub use journal::Journal;
pub use lock::{DirectoryLock, LockError};
pub use open::{DiskSettings, OpenError};
pub use position::Position;
pub use reader::{Reader, ReaderWatch};
pub use senseops_core::host::Overflow;
pub use slot::Entry;
pub use status::{Lag, ReaderStatus, Status};
pub use writer::Writer;
