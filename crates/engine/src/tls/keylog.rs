//! The secrets of every session in a file, for tools that decrypt captures.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustls::KeyLog;

use super::pem::file_error;
use crate::net::NetError;

/// Writes lines in the format of NSS; readable by the server's user alone.
#[derive(Debug)]
pub struct KeyLogWriter(File);

impl KeyLogWriter {
    /// Opens the file to append to.
    pub fn open(path: &Path) -> Result<Self, NetError> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(|e| file_error(path, e))?;
        Ok(Self(file))
    }
}

impl KeyLog for KeyLogWriter {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line =
            String::with_capacity(label.len() + 2 * (client_random.len() + secret.len()));
        line.push_str(label);
        for bytes in [client_random, secret] {
            line.push(' ');
            for byte in bytes {
                let _ = write!(line, "{byte:02x}");
            }
        }
        line.push('\n');
        // One write to a file that is appended to: lines of several threads do not mix.
        // A full disk must not break connections; the log is for debugging.
        let _ = (&self.0).write_all(line.as_bytes());
    }
}
