//! The journal against models that are too simple to be wrong.

mod disk;
mod faults;
mod memory;

use proptest::prelude::*;
use senseops_core::BoxError;

use crate::Codec;

/// Numbers, which take more or less space on disk and notice when they come back changed.
struct Numbers;

impl Codec<u64> for Numbers {
    fn encode(&self, number: &u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&number.to_le_bytes());
        out.resize(out.len() + padding(*number), number.to_le_bytes()[0]);
    }

    fn kinds<'a>(&self, _number: &'a u64) -> Vec<&'a str> {
        vec!["number"]
    }

    fn decode(&self, bytes: &[u8]) -> Result<u64, BoxError> {
        let (number, rest) = bytes.split_first_chunk().ok_or("too short")?;
        let number = u64::from_le_bytes(*number);
        let is_sound = rest == vec![number.to_le_bytes()[0]; padding(number)];
        if is_sound { Ok(number) } else { Err("changed".into()) }
    }
}

fn padding(number: u64) -> usize {
    usize::try_from(number * 37 % 400).unwrap()
}

/// What is done to the journal. There are two readers: 0 may miss chunks, 1 may not.
#[derive(Clone, Debug)]
enum Op {
    Append {
        events: u32,
        bytes: u64,
    },
    Read(usize),
    /// Commits so many of the chunks that were read.
    Commit(usize, usize),
    Rewind(usize),
    /// The writer writes all that is queued.
    Write,
    /// An orderly end and a new beginning.
    Restart,
    /// An end without warning that leaves so many bytes of nothing at the end of the newest segment, and a new beginning.
    Crash(usize),
}

fn memory_ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => (1..5_u32, 1..400_u64).prop_map(|(events, bytes)| Op::Append { events, bytes }),
        4 => (0..2_usize).prop_map(Op::Read),
        2 => (0..2_usize, 0..4_usize).prop_map(|(reader, count)| Op::Commit(reader, count)),
        1 => (0..2_usize).prop_map(Op::Rewind),
    ];
    proptest::collection::vec(op, 0..200)
}

fn disk_ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        12 => (1..5_u32, 1..400_u64).prop_map(|(events, bytes)| Op::Append { events, bytes }),
        8 => (0..2_usize).prop_map(Op::Read),
        4 => (0..2_usize, 0..4_usize).prop_map(|(reader, count)| Op::Commit(reader, count)),
        2 => (0..2_usize).prop_map(Op::Rewind),
        4 => Just(Op::Write),
        1 => Just(Op::Restart),
        1 => (0..200_usize).prop_map(Op::Crash),
    ];
    proptest::collection::vec(op, 0..120)
}
