//! Fuzz targets: what the engine reads from the network, and what must hold for any bytes.
//!
//! Each module has one function, `check`, which panics when something is wrong that the
//! documentation of the code under test does not allow. The programs in `fuzz_targets` give it
//! to libFuzzer, `tests/inputs.rs` gives it the stored inputs. `make fuzz` runs them all,
//! together with those of Python.

pub mod headers;
pub mod mask;
pub mod message;
mod sample;
pub mod stream;
pub mod transactions;
pub mod uri;
pub mod variables;
pub mod websocket;

/// A target: panics when something is wrong.
pub type Check = fn(&[u8]);

/// All targets by name.
pub const TARGETS: &[(&str, Check)] = &[
    ("headers", headers::check),
    ("mask", mask::check),
    ("message", message::check),
    ("stream", stream::check),
    ("transactions", transactions::check),
    ("uri", uri::check),
    ("variables", variables::check),
    ("websocket", websocket::check),
];

/// Longest input, in bytes: that of a datagram.
pub const MAX_INPUT: usize = 65_536;
/// Processor time that one input may take, instrumented code and slow machines included.
const MAX_NANOS: u64 = 1_000_000_000;

/// Gives a target one input, cut to [`MAX_INPUT`] bytes, and watches its time.
///
/// # Panics
/// When the target does, or takes more than a second of processor time: that of this thread, so
/// that other programs on the machine do not count.
pub fn run(check: Check, data: &[u8]) {
    let data = &data[..data.len().min(MAX_INPUT)];
    let before = thread_nanos();
    check(data);
    let took = thread_nanos() - before;
    assert!(took < MAX_NANOS, "{} bytes took {took} ns", data.len());
}

/// Processor time of this thread.
fn thread_nanos() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a timespec of ours that the call writes to.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "the clock of a thread is there");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The pieces that the first bytes of an input cut the rest into: streams come in any pieces.
pub(crate) fn pieces(data: &[u8]) -> (&[u8], Vec<usize>) {
    let (cuts, stream) = data.split_at(data.len().min(4));
    (stream, cuts.iter().map(|n| usize::from(*n)).collect())
}

/// The stream in pieces of these lengths, in turn, none of them empty but that of an empty stream.
pub(crate) fn cut<'a>(stream: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(stream);
    cuts.iter().copied().cycle().map_while(move |cut| {
        let (now, later) = rest?.split_at(cut.max(1).min(rest?.len()));
        rest = Some(later).filter(|later| !later.is_empty());
        Some(now)
    })
}
