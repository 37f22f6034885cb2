//! Memory of the recording: heads in a queue, bytes in a ring; the oldest go first.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Entry, Filled, Instant, Kind, PIECE_BYTES, PIECE_ENTRIES, Piece, RecordConfig, Way};

#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    kind: Kind,
    at: Instant,
    spent_us: u32,
    way: Way,
    /// Bytes that there were.
    size: u32,
    /// Bytes that are kept.
    len: u32,
    /// Where they begin, counted from the first byte that was ever kept.
    start: u64,
}

impl Head {
    pub(super) const fn new(kind: Kind, at: Instant, spent_us: u32, way: Way) -> Self {
        Self {
            kind,
            at,
            spent_us,
            way,
            size: 0,
            len: 0,
            start: 0,
        }
    }
}

#[derive(Debug)]
pub(super) struct Ring {
    heads: VecDeque<Head>,
    /// Number of the oldest head.
    first: u64,
    bytes: Box<[u8]>,
    /// Bytes that were ever kept.
    end: u64,
    max_entries: usize,
}

/// What [`Ring::copy`] says of the heads that it copied.
pub(super) struct Copied {
    pub first: u64,
    pub missed: u64,
    pub is_end: bool,
}

impl Ring {
    pub(super) fn new(config: &RecordConfig) -> Self {
        Self {
            heads: VecDeque::new(),
            first: 1,
            // Zeroed pages come from the system when they are first written.
            bytes: vec![0; config.max_bytes].into_boxed_slice(),
            end: 0,
            max_entries: config.max_entries.max(1),
        }
    }

    pub(super) fn clear(&mut self) {
        self.first += self.heads.len() as u64;
        self.heads.clear();
    }

    pub(super) fn filled(&self) -> Filled {
        let start = self.heads.front().map_or(self.end, |h| h.start);
        Filled {
            entries: self.heads.len(),
            bytes: usize::try_from(self.end - start).unwrap_or(0),
            first: self.first,
            next: self.first + self.heads.len() as u64,
        }
    }

    /// Keeps an entry. One message never takes more than a quarter of the memory.
    pub(super) fn push(&mut self, head: Head, parts: &[&[u8]]) {
        let size: usize = parts.iter().map(|p| p.len()).sum();
        let len = size.min(self.bytes.len() / 4);
        self.make_room(len);
        let start = self.end;
        let mut left = len;
        for part in parts {
            let part = &part[..part.len().min(left)];
            left -= part.len();
            self.write(part);
        }
        self.heads.push_back(Head {
            size: u32::try_from(size).unwrap_or(u32::MAX),
            len: u32::try_from(len).unwrap_or(u32::MAX),
            start,
            ..head
        });
    }

    fn make_room(&mut self, len: usize) {
        let capacity = self.bytes.len() as u64;
        while let Some(oldest) = self.heads.front() {
            let fits = self.end + len as u64 - oldest.start <= capacity;
            if fits && self.heads.len() < self.max_entries {
                break;
            }
            self.heads.pop_front();
            self.first += 1;
        }
    }

    fn place(&self, offset: u64) -> usize {
        let capacity = self.bytes.len() as u64;
        usize::try_from(offset % capacity.max(1)).unwrap_or(0)
    }

    fn write(&mut self, part: &[u8]) {
        let at = self.place(self.end);
        let first = part.len().min(self.bytes.len() - at);
        self.bytes[at..at + first].copy_from_slice(&part[..first]);
        self.bytes[..part.len() - first].copy_from_slice(&part[first..]);
        self.end += part.len() as u64;
    }

    /// Copies heads from number `from` on and their bytes, one after the other: as many as
    /// one look may copy, and at least one.
    pub(super) fn copy(&self, from: u64, heads: &mut Vec<Head>, data: &mut Vec<u8>) -> Copied {
        let first = from.clamp(self.first, self.first + self.heads.len() as u64);
        let skip = usize::try_from(first - self.first).unwrap_or(usize::MAX);
        for head in self.heads.range(skip.min(self.heads.len())..) {
            let full = data.len() + head.len as usize > PIECE_BYTES && !heads.is_empty();
            if full || heads.len() == PIECE_ENTRIES {
                break;
            }
            let (at, len) = (self.place(head.start), head.len as usize);
            let part = len.min(self.bytes.len() - at);
            data.extend_from_slice(&self.bytes[at..at + part]);
            data.extend_from_slice(&self.bytes[..len - part]);
            heads.push(*head);
        }
        Copied {
            first,
            // Whoever begins with 0 or 1 asks for whatever there is.
            missed: if from > 1 {
                first.saturating_sub(from)
            } else {
                0
            },
            is_end: skip + heads.len() >= self.heads.len(),
        }
    }
}

/// The entries of heads and bytes that were copied.
pub(super) fn entries(copied: Copied, heads: &[Head], data: Vec<u8>) -> Piece {
    let mut data = Bytes::from(data);
    let numbers = copied.first..;
    let entries = numbers.zip(heads).map(|(number, head)| Entry {
        number,
        kind: head.kind,
        at: head.at,
        spent_us: head.spent_us,
        way: head.way,
        size: head.size,
        data: data.split_to(head.len as usize),
    });
    Piece {
        entries: entries.collect(),
        next: copied.first + heads.len() as u64,
        missed: copied.missed,
        is_end: copied.is_end,
    }
}
