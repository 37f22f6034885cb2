//! The one log sink: lines are queued under a short lock and written by a thread.
//!
//! A script logs on every message, so logging must cost no system call and must
//! never block on a slow terminal or pipe. The buffer is bounded; what does not
//! fit is counted and reported once there is room again.

use std::cell::RefCell;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use sipwright_sip::script::pv::strftime;

use crate::net::threads::{self, ThreadKind};
use crate::net::{monotonic_ms, sys};

/// Kamailio's log levels (`L_ALERT` to `L_DBG`).
pub mod level {
    /// `KSR.alert`
    pub const ALERT: i32 = -5;
    /// `KSR.crit`
    pub const CRIT: i32 = -2;
    /// `KSR.err`
    pub const ERR: i32 = -1;
    /// `KSR.warn`
    pub const WARN: i32 = 0;
    /// `KSR.notice`
    pub const NOTICE: i32 = 1;
    /// `KSR.info`
    pub const INFO: i32 = 2;
    /// `KSR.dbg`
    pub const DBG: i32 = 3;
}

/// Bytes that may wait for the writer.
const BUFFER_LIMIT: usize = 4 << 20;

static LEVEL: AtomicI32 = AtomicI32::new(level::INFO);
static JSON: AtomicBool = AtomicBool::new(false);
static DROPPED: AtomicU64 = AtomicU64::new(0);
static SINK: OnceLock<Sink> = OnceLock::new();
static CAPTURING: AtomicBool = AtomicBool::new(false);
static PREFIXER: OnceLock<fn() -> Option<String>> = OnceLock::new();
static CAPTURED: Mutex<Vec<(i32, String)>> = Mutex::new(Vec::new());
/// Lines kept until they are taken; further ones are dropped and counted.
const CAPTURE_LIMIT: usize = 100_000;

thread_local! {
    /// Call-ID of the message that this thread works on; empty without one.
    static CALL: RefCell<Bytes> = const { RefCell::new(Bytes::new()) };
}

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    lost: u64,
    writing: bool,
}

struct Sink {
    /// The process that has the writing thread.
    generation: u32,
    buffer: Mutex<Buffer>,
    ready: Condvar,
    drained: Condvar,
}

impl Sink {
    /// A forked child has no thread that writes, and the lock may be held for ever there.
    fn is_another_process(&self) -> bool {
        self.generation != sys::process_generation()
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets the highest level that is written; see [`level`].
pub fn set_level(level: i32) {
    LEVEL.store(level, Ordering::Relaxed);
}

/// The highest level that is written.
#[must_use]
pub fn current_level() -> i32 {
    LEVEL.load(Ordering::Relaxed)
}

/// Says which call the lines of this thread are about from now on: those that are JSON
/// name it. Empty for none.
pub fn set_call(call_id: Bytes) {
    CALL.with(|c| *c.borrow_mut() = call_id);
}

/// Has `prefix` called for each line that is written: what stands before the text of
/// those that are about a message in work. The first one stays.
pub fn set_prefixer(prefix: fn() -> Option<String>) {
    let _ = PREFIXER.set(prefix);
}

/// Writes lines as JSON objects (`ts`, `level`, `msg`, and `call_id` where there is one) rather
/// than text.
pub fn set_json(on: bool) {
    JSON.store(on, Ordering::Relaxed);
}

/// Keeps lines for [`take_captured`] instead of writing them, or ends that.
pub fn capture(on: bool) {
    CAPTURING.store(on, Ordering::Relaxed);
    drop(take_captured());
}

/// The lines kept since they were taken last, with their levels.
#[must_use]
pub fn take_captured() -> Vec<(i32, String)> {
    std::mem::take(&mut *CAPTURED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Lines dropped since the start because the writer could not keep up.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Whether a line of that level would be written.
#[must_use]
pub fn enabled(level: i32) -> bool {
    level <= LEVEL.load(Ordering::Relaxed)
}

/// Queues one line; line breaks inside `text` are kept, a final one is not needed.
pub fn log(level: i32, text: &str) {
    if !enabled(level) {
        return;
    }
    let call_id = CALL.with(|c| c.borrow().clone());
    match PREFIXER.get().and_then(|prefix| prefix()) {
        Some(prefix) => write(level, &format!("{prefix}{text}"), &call_id),
        None => write(level, text, &call_id),
    }
}

/// As [`log`], for a line that is about the call of that Call-ID, whatever the thread works on.
pub fn log_of(level: i32, text: &str, call_id: &[u8]) {
    if enabled(level) {
        write(level, text, call_id);
    }
}

fn write(level: i32, text: &str, call_id: &[u8]) {
    if CAPTURING.load(Ordering::Relaxed) {
        let mut lines = CAPTURED.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < CAPTURE_LIMIT {
            lines.push((level, text.strip_suffix('\n').unwrap_or(text).to_owned()));
        } else {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        return;
    }
    let sink = SINK.get_or_init(start);
    if sink.is_another_process() {
        let mut line = Vec::new();
        format_line(&mut line, level, text, call_id);
        return sys::write_stderr(&line);
    }
    let mut buffer = sink.lock();
    if buffer.bytes.len() + text.len() > BUFFER_LIMIT {
        buffer.lost += 1;
        DROPPED.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let was_empty = buffer.bytes.is_empty();
    format_line(&mut buffer.bytes, level, text, call_id);
    drop(buffer);
    if was_empty {
        sink.ready.notify_one();
    }
}

/// Waits until everything queued so far is written, at most `limit`.
pub fn flush(limit: Duration) {
    let Some(sink) = SINK.get().filter(|s| !s.is_another_process()) else {
        return;
    };
    let buffer = sink.lock();
    drop(
        sink.drained
            .wait_timeout_while(buffer, limit, |b| !b.bytes.is_empty() || b.writing)
            .unwrap_or_else(PoisonError::into_inner),
    );
}

fn start() -> Sink {
    // The thread looks the sink up itself: it outlives every caller.
    let spawned = threads::spawn("sw-log", ThreadKind::Other, || -> () {
        write_loop(SINK.wait())
    });
    if spawned.is_err() {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
    Sink {
        generation: sys::process_generation(),
        buffer: Mutex::default(),
        ready: Condvar::new(),
        drained: Condvar::new(),
    }
}

fn write_loop(sink: &Sink) -> ! {
    let mut out = Vec::new();
    loop {
        let mut buffer = sink.lock();
        while buffer.bytes.is_empty() {
            buffer = sink
                .ready
                .wait(buffer)
                .unwrap_or_else(PoisonError::into_inner);
        }
        out.clear();
        std::mem::swap(&mut out, &mut buffer.bytes);
        let lost = std::mem::take(&mut buffer.lost);
        buffer.writing = true;
        drop(buffer);
        if lost > 0 {
            format_line(
                &mut out,
                level::WARN,
                &format!("log: {lost} lines lost, the log output is too slow"),
                b"",
            );
        }
        // A closed stderr is no reason to stop a SIP server.
        threads::works(monotonic_ms());
        let _ = std::io::stderr().write_all(&out);
        threads::rests();
        let mut buffer = sink.lock();
        buffer.writing = false;
        drop(buffer);
        sink.drained.notify_all();
    }
}

const fn level_name(level: i32) -> &'static str {
    match level {
        i32::MIN..=-4 => "ALERT",
        -3..=-2 => "CRITICAL",
        -1 => "ERROR",
        0 => "WARNING",
        1 => "NOTICE",
        2 => "INFO",
        _ => "DEBUG",
    }
}

fn format_line(out: &mut Vec<u8>, level: i32, text: &str, call_id: &[u8]) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let stamp = utc_stamp(now);
    let text = text.strip_suffix('\n').unwrap_or(text);
    let name = level_name(level);
    // Writing to a Vec cannot fail.
    if JSON.load(Ordering::Relaxed) {
        let mut line = serde_json::json!({"ts": stamp, "level": name, "msg": text});
        if !call_id.is_empty() {
            line["call_id"] = String::from_utf8_lossy(call_id).into();
        }
        let _ = writeln!(out, "{line}");
    } else {
        let _ = writeln!(out, "{stamp} {name:<7} {text}");
    }
}

/// `2026-01-31T12:34:56.789Z` of a time since the epoch.
fn utc_stamp(since_epoch: Duration) -> String {
    let secs = i64::try_from(since_epoch.as_secs()).unwrap_or(0);
    let date = strftime(secs, 0, b"%Y-%m-%dT%H:%M:%S");
    let millis = since_epoch.subsec_millis();
    format!("{}.{millis:03}Z", String::from_utf8_lossy(&date))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_utc_dates() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000, "2023-11-14T22:13:20.000Z"),
            (4_102_444_799, "2099-12-31T23:59:59.000Z"),
        ];
        for (secs, expected) in cases {
            assert_eq!(utc_stamp(Duration::from_secs(secs)), expected);
        }
    }

    #[test]
    fn a_line_names_its_level_once_and_ends_once() {
        let mut out = Vec::new();
        format_line(&mut out, level::ERR, "went wrong\n", b"call-1");
        let line = String::from_utf8(out).unwrap();
        assert!(line.ends_with("Z ERROR   went wrong\n"), "{line:?}");
    }
}
