//! Memory of the recording: heads in a queue, bytes in a ring; the oldest go first.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use sipwright_sip::types::Proto;

use super::{Entry, Filled, Instant, Kind, PIECE_BYTES, PIECE_ENTRIES, Piece, RecordConfig, Way};

/// What there is of an entry beside its bytes; settings and pages state its size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    at: Instant,
    /// Where its bytes begin, counted from the first that was ever kept.
    start: u64,
    /// The connection of a message; how many microseconds a decision took.
    conn_or_spent: u64,
    /// Bytes that there were.
    size: u32,
    /// Bytes that are kept.
    len: u32,
    local: Place,
    remote: Place,
    /// Whether the local and the remote address are of IPv6.
    is_v6: [bool; 2],
    kind: Kind,
    proto: Proto,
}

impl Head {
    #[inline]
    pub(super) fn message(kind: Kind, at: Instant, way: &Way) -> Self {
        Self {
            conn_or_spent: way.conn,
            local: Place::of(&way.local),
            remote: Place::of(&way.remote),
            is_v6: [way.local.is_ipv6(), way.remote.is_ipv6()],
            proto: way.proto,
            ..Self::decision(kind, at, 0)
        }
    }

    #[inline]
    pub(super) const fn decision(kind: Kind, at: Instant, spent_us: u32) -> Self {
        Self {
            at,
            start: 0,
            conn_or_spent: spent_us as u64,
            size: 0,
            len: 0,
            local: Place::NOWHERE,
            remote: Place::NOWHERE,
            is_v6: [false; 2],
            kind,
            proto: Proto::Udp,
        }
    }

    fn way(&self) -> Way {
        Way {
            proto: self.proto,
            local: self.local.address(self.is_v6[0]),
            remote: self.remote.address(self.is_v6[1]),
            conn: if self.kind.is_message() {
                self.conn_or_spent
            } else {
                0
            },
        }
    }

    fn spent_us(&self) -> u32 {
        match self.kind.is_message() {
            true => 0,
            false => u32::try_from(self.conn_or_spent).unwrap_or(u32::MAX),
        }
    }
}

/// Address and port in little room; the scope of an IPv6 address is not kept.
#[derive(Clone, Copy, Debug)]
struct Place {
    ip: [u8; 16],
    port: u16,
}

impl Place {
    const NOWHERE: Self = Self {
        ip: [0; 16],
        port: 0,
    };

    #[inline]
    fn of(address: &SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) => u128::from(ip.to_bits()),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        Self {
            ip: ip.to_ne_bytes(),
            port: address.port(),
        }
    }

    fn address(self, is_v6: bool) -> SocketAddr {
        let bits = u128::from_ne_bytes(self.ip);
        let ip = match is_v6 {
            true => Ipv6Addr::from_bits(bits).into(),
            false => Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(0)).into(),
        };
        SocketAddr::new(ip, self.port)
    }
}

#[derive(Debug)]
pub(super) struct Ring {
    heads: VecDeque<Head>,
    /// Number of the oldest head.
    first: u64,
    bytes: Box<[u8]>,
    /// Where the next bytes go; those of one entry lie together.
    place: usize,
    /// The same, counted from the first byte that was ever kept.
    end: u64,
    /// Bytes of the heads.
    kept: usize,
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
        let max_entries = config.max_entries.max(1);
        Self {
            // Memory comes from the system when it is first written, so that nothing moves later.
            heads: VecDeque::with_capacity(max_entries),
            first: 1,
            bytes: vec![0; config.max_bytes].into_boxed_slice(),
            place: 0,
            end: 0,
            kept: 0,
            max_entries,
        }
    }

    pub(super) fn clear(&mut self) {
        self.first += self.heads.len() as u64;
        self.heads.clear();
        self.kept = 0;
    }

    pub(super) fn filled(&self) -> Filled {
        Filled {
            entries: self.heads.len(),
            bytes: self.kept,
            first: self.first,
            next: self.first + self.heads.len() as u64,
        }
    }

    /// Keeps an entry. One message never takes more than a quarter of the memory.
    #[inline]
    pub(super) fn push(&mut self, mut head: Head, data: &[u8]) {
        let len = data.len().min(self.bytes.len() / 4);
        let left = self.bytes.len() - self.place;
        if left < len {
            self.place = 0;
            self.end += left as u64;
        }
        self.make_room(len);
        self.bytes[self.place..self.place + len].copy_from_slice(&data[..len]);
        head.start = self.end;
        head.size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        head.len = u32::try_from(len).unwrap_or(u32::MAX);
        self.heads.push_back(head);
        self.place += len;
        self.end += len as u64;
        self.kept += len;
    }

    #[inline]
    fn make_room(&mut self, len: usize) {
        let capacity = self.bytes.len() as u64;
        while let Some(oldest) = self.heads.front() {
            let fits = self.end + len as u64 - oldest.start <= capacity;
            if fits && self.heads.len() < self.max_entries {
                break;
            }
            self.kept -= oldest.len as usize;
            self.heads.pop_front();
            self.first += 1;
        }
    }

    /// Copies heads from number `from` on and their bytes, one after the other: as many as
    /// one look may copy, and at least one.
    pub(super) fn copy(&self, from: u64, heads: &mut Vec<Head>, data: &mut Vec<u8>) -> Copied {
        let first = from.clamp(self.first, self.first + self.heads.len() as u64);
        let skip = usize::try_from(first - self.first).unwrap_or(usize::MAX);
        let capacity = self.bytes.len().max(1) as u64;
        for head in self.heads.range(skip.min(self.heads.len())..) {
            let full = data.len() + head.len as usize > PIECE_BYTES && !heads.is_empty();
            if full || heads.len() == PIECE_ENTRIES {
                break;
            }
            let place = usize::try_from(head.start % capacity).unwrap_or(0);
            data.extend_from_slice(&self.bytes[place..place + head.len as usize]);
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
        spent_us: head.spent_us(),
        way: head.way(),
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
