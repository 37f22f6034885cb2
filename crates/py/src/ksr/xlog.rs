//! `KSR.xlog`: logging with pseudo-variables (Kamailio's module xlog).

use sipwright_engine::log::{self, level};
use sipwright_sip::script::xlog;

use super::core::level_of;
use super::{Call, Out};
use crate::{env, scope};

/// Logs a text after putting in the values of its pseudo-variables.
fn write<'py>(call: &Call<'_, 'py>, severity: i32, text: &[u8]) -> Out<'py> {
    if !log::enabled(severity) {
        return Out::Int(1);
    }
    match xlog::parse(text) {
        Ok(format) => {
            let once = || scope::with(|c| format.eval(&c.ctx));
            let line = if format.asks_others() {
                env::answered(once)
            } else {
                once()
            };
            log::log(severity, &String::from_utf8_lossy(&line));
            Out::Int(1)
        }
        Err(error) => {
            let place = super::caller(call.py)
                .map_or_else(String::new, |(file, line)| format!("{file}:{line}: "));
            log::log(level::ERR, &format!("{place}{error}"));
            Out::Int(-1)
        }
    }
}

use super::ksr_table;

ksr_table! { "xlog";
    /// Logs the text, its pseudo-variables replaced by their values, at level alert.
    xalert(text: Str) -> Int = |c| write(c, level::ALERT, c.bytes(0));
    /// Logs the text, its pseudo-variables replaced by their values, at level critical.
    xcrit(text: Str) -> Int = |c| write(c, level::CRIT, c.bytes(0));
    /// Logs the text, its pseudo-variables replaced by their values, at level error.
    xerr(text: Str) -> Int = |c| write(c, level::ERR, c.bytes(0));
    /// Logs the text, its pseudo-variables replaced by their values, at level warning.
    xwarn(text: Str) -> Int = |c| write(c, level::WARN, c.bytes(0));
    /// Logs the text, its pseudo-variables replaced by their values, at level notice.
    xnotice(text: Str) -> Int = |c| write(c, level::NOTICE, c.bytes(0));
    /// Logs the text, its pseudo-variables replaced by their values, at level info.
    xinfo(text: Str) -> Int = |c| write(c, level::INFO, c.bytes(0));
    /// Logs the text, its pseudo-variables replaced by their values, at level debug.
    xdbg(text: Str) -> Int = |c| write(c, level::DBG, c.bytes(0));
    /// Logs the text, its pseudo-variables replaced by their values, at the named level, as in `L_INFO`.
    xlog(level: Str, text: Str) -> Int = |c| write(c, level_of(c.str(0)), c.bytes(1));
    /// As `xlog`; the facility is that of `log.facility` for all lines.
    xlog_facility(facility: Str, level: Str, text: Str) -> Int = |c| write(c, level_of(c.str(1)), c.bytes(2));
}
