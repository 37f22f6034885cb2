//! Host names to addresses, by the system's resolver, with a short cache.
//!
//! Blocking: script workers call it with the interpreter released, and no
//! engine thread ever does.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::route::RouteError;

/// The system's resolver tells no TTL, so answers are kept this long.
const KEEP: Duration = Duration::from_secs(30);
/// Names in the cache at most; it is emptied when full.
const CACHE_LIMIT: usize = 10_000;

type Cache = Mutex<HashMap<String, (IpAddr, Instant)>>;

/// The address of a host name (RFC 3263 section 4.2: A and AAAA).
///
/// # Errors
/// [`RouteError::Unresolved`].
pub fn host(name: &str) -> Result<IpAddr, RouteError> {
    static CACHE: OnceLock<Cache> = OnceLock::new();
    let cache = CACHE.get_or_init(Cache::default);
    let hit = cache
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(name)
        .copied();
    if let Some((addr, _)) = hit.filter(|(_, since)| since.elapsed() < KEEP) {
        return Ok(addr);
    }
    let addr = (name, 0)
        .to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next())
        .map(|a| a.ip())
        .ok_or_else(|| RouteError::Unresolved(name.to_owned()))?;
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len() >= CACHE_LIMIT {
        cache.clear();
    }
    cache.insert(name.to_owned(), (addr, Instant::now()));
    Ok(addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_resolves_and_invalid_does_not() {
        assert!(host("localhost").unwrap().is_loopback());
        let missing = "no-such-host.invalid";
        assert_eq!(
            host(missing),
            Err(RouteError::Unresolved(missing.to_owned()))
        );
    }
}
