//! What is written before the lines of the log that a message is about (`log.prefix`).

use std::cell::{Cell, RefCell};
use std::sync::{Arc, PoisonError, RwLock};

use sipwright_engine::config::LogPrefixSettings;
use sipwright_engine::log;
use sipwright_sip::script::pv::Format;

use crate::{env, scope};

struct Prefix {
    format: Format,
    each_line: bool,
}

static PREFIX: RwLock<Option<Arc<Prefix>>> = RwLock::new(None);

thread_local! {
    /// The message that was asked last, and its text.
    static KNOWN: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    /// Variables of modules may write lines of their own.
    static ASKING: Cell<bool> = const { Cell::new(false) };
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
        log::set_prefixer(of_line);
        Some(Arc::new(Prefix {
            format,
            each_line: settings.each_line,
        }))
    };
    *PREFIX.write().unwrap_or_else(PoisonError::into_inner) = prefix;
    Ok(())
}

/// Reads the variables for the message that a worker has taken up, as Kamailio does before
/// its routes: lines may be written later while the message cannot be looked at.
pub fn begin() {
    if let Some(prefix) = configured() {
        read(&prefix);
    }
}

fn configured() -> Option<Arc<Prefix>> {
    PREFIX
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// What stands before a line of this thread.
fn of_line() -> Option<String> {
    let prefix = configured()?;
    if ASKING.get() {
        return None;
    }
    let known = KNOWN.with_borrow(|k| (k.0 == scope::serial()).then(|| k.1.clone()));
    match known {
        Some(known) if !prefix.each_line || scope::is_borrowed() => Some(known),
        _ if scope::is_in_work() => Some(read(&prefix)),
        _ => None,
    }
}

fn read(prefix: &Prefix) -> String {
    let once = || scope::with(|c| prefix.format.eval(&c.ctx));
    ASKING.set(true);
    let bytes = if prefix.format.asks_others() {
        env::answered(once)
    } else {
        once()
    };
    ASKING.set(false);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    KNOWN.with_borrow_mut(|k| *k = (scope::serial(), text.clone()));
    text
}
