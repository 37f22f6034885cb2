//! The texts of a decision as bytes of the recording: four, each after its length.

use bytes::{Buf, Bytes};

/// The longest that is kept of Call-ID, name, arguments and result.
const LONGEST: [usize; 4] = [256, 128, 512, 4_096];

/// What a script did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decision {
    /// Call-ID of the message in work; empty for none.
    pub call_id: Bytes,
    /// Name of the route or the function.
    pub name: Bytes,
    /// Arguments as the script would write them, or the event of a route.
    pub arguments: Bytes,
    /// What it returned, or the text of an error.
    pub result: Bytes,
}

pub(super) struct Packed<'a> {
    lengths: [[u8; 2]; 4],
    texts: [&'a [u8]; 4],
}

impl Packed<'_> {
    pub(super) fn parts(&self) -> [&[u8]; 8] {
        let (l, t) = (&self.lengths, &self.texts);
        [&l[0], t[0], &l[1], t[1], &l[2], t[2], &l[3], t[3]]
    }
}

pub(super) fn pack(texts: [&[u8]; 4]) -> Packed<'_> {
    let mut lengths = [[0; 2]; 4];
    let mut cut = texts;
    for (i, longest) in LONGEST.into_iter().enumerate() {
        cut[i] = &texts[i][..texts[i].len().min(longest)];
        lengths[i] = u16::try_from(cut[i].len()).unwrap_or(0).to_be_bytes();
    }
    Packed {
        lengths,
        texts: cut,
    }
}

pub(super) fn unpack(data: &Bytes) -> Decision {
    let mut rest = data.clone();
    let mut next = || {
        if rest.len() < 2 {
            return Bytes::new();
        }
        let len = usize::from(rest.get_u16());
        rest.split_to(len.min(rest.len()))
    };
    Decision {
        call_id: next(),
        name: next(),
        arguments: next(),
        result: next(),
    }
}
