//! What is written before the lines of the log that a message is about (`log.prefix`).

use std::cell::RefCell;
use std::sync::{PoisonError, RwLock};

use sipwright_engine::config::LogPrefixSettings;
use sipwright_engine::log;
use sipwright_sip::script::pv::Format;

use crate::{env, scope};

struct Prefix {
    format: Format,
    each_line: bool,
}

static PREFIX: RwLock<Option<Prefix>> = RwLock::new(None);

thread_local! {
    /// The message that was asked last, and its text.
    static KNOWN: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// Takes the settings.
///
/// # Errors
/// When the text has a variable that cannot be read.
pub fn configure(settings: &LogPrefixSettings) -> Result<(), String> {
    let prefix = if settings.text.is_empty() {
        None
    } else {
        let format = Format::parse(settings.text.as_bytes()).map_err(|why| why.to_string())?;
        Some(Prefix {
            format,
            each_line: settings.each_line,
        })
    };
    *PREFIX.write().unwrap_or_else(PoisonError::into_inner) = prefix;
    Ok(())
}

/// Writes a line of the script, with the prefix if a message is in work.
pub fn log(level: i32, text: &str) {
    if !log::enabled(level) {
        return;
    }
    let prefix = PREFIX.read().unwrap_or_else(PoisonError::into_inner);
    match &*prefix {
        Some(prefix) if scope::is_in_work() => {
            log::log(level, &format!("{}{text}", current(prefix)));
        }
        _ => log::log(level, text),
    }
}

fn current(prefix: &Prefix) -> String {
    let serial = scope::serial();
    if !prefix.each_line
        && let Some(known) = KNOWN.with_borrow(|k| (k.0 == serial).then(|| k.1.clone()))
    {
        return known;
    }
    let once = || scope::with(|c| prefix.format.eval(&c.ctx));
    let bytes = if prefix.format.asks_others() {
        env::answered(once)
    } else {
        once()
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    KNOWN.with_borrow_mut(|k| *k = (serial, text.clone()));
    text
}
