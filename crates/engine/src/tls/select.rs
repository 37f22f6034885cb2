//! Which profile a connection gets.

use std::net::SocketAddr;

use crate::config::NameMode;

/// What a profile is for.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    /// Listening or remote address; any when absent.
    pub addr: Option<SocketAddr>,
    /// Server name; any when absent.
    pub name: Option<String>,
    /// How `name` is compared.
    pub mode: NameMode,
}

impl Selector {
    /// How well it fits a connection that comes in: `None` if not at all, else the
    /// more the better. The address counts for more than the name. Without SNI the
    /// address alone decides, as in Kamailio's tls.cfg.
    pub fn fit_server(&self, addr: Option<SocketAddr>, asked: Option<&str>) -> Option<u8> {
        let by_addr = self.by_addr(addr)?;
        let by_name = match (&self.name, asked) {
            (None, _) => 1,
            (Some(mine), Some(asked)) => by_name(mine, self.mode, asked)?,
            (Some(_), None) if by_addr > 0 => 0,
            (Some(_), None) => return None,
        };
        Some(by_addr + by_name)
    }

    /// The same for one that goes out. The name of a profile with an address says
    /// how that server is called, so it need not be the one that was looked up.
    pub fn fit_client(&self, addr: SocketAddr, asked: Option<&str>) -> Option<u8> {
        let by_addr = self.by_addr(Some(addr))?;
        let by_name = match (&self.name, asked) {
            (None, _) => 1,
            (Some(mine), Some(asked)) => match by_name(mine, self.mode, asked) {
                None if by_addr > 0 => 0,
                found => found?,
            },
            (Some(_), None) if by_addr > 0 => 0,
            (Some(_), None) => return None,
        };
        Some(by_addr + by_name)
    }

    fn by_addr(&self, addr: Option<SocketAddr>) -> Option<u8> {
        match (self.addr, addr) {
            (None, _) => Some(0),
            (Some(mine), Some(addr)) if mine == addr => Some(8),
            (Some(mine), Some(addr)) if mine.port() == 0 && mine.ip() == addr.ip() => Some(4),
            (Some(_), _) => None,
        }
    }
}

fn by_name(mine: &str, mode: NameMode, asked: &str) -> Option<u8> {
    let asked = asked.trim_end_matches('.');
    let same = mine.eq_ignore_ascii_case(asked);
    match mode {
        NameMode::Exact if same => Some(3),
        NameMode::Exact => {
            let parent = mine.strip_prefix("*.")?;
            let (_, rest) = asked.split_once('.')?;
            parent.eq_ignore_ascii_case(rest).then_some(2)
        }
        NameMode::Domain if same => Some(3),
        NameMode::Domain | NameMode::Below => {
            let cut = asked.len().checked_sub(mine.len() + 1)?;
            let below = asked.as_bytes()[cut] == b'.'
                && asked
                    .get(cut + 1..)
                    .is_some_and(|rest| rest.eq_ignore_ascii_case(mine));
            below.then_some(2)
        }
    }
}

/// The index of the best; the first among equals.
pub fn best(fits: impl Iterator<Item = Option<u8>>) -> Option<usize> {
    let mut found: Option<(u8, usize)> = None;
    for (index, fit) in fits.enumerate() {
        if let Some(fit) = fit
            && found.is_none_or(|(so_far, _)| fit > so_far)
        {
            found = Some((fit, index));
        }
    }
    found.map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(addr: Option<&str>, name: Option<&str>, mode: NameMode) -> Selector {
        Selector {
            addr: addr.map(|a| a.parse().unwrap()),
            name: name.map(str::to_owned),
            mode,
        }
    }

    const HERE: &str = "192.0.2.1:5061";

    #[test]
    fn the_closest_profile_wins() {
        let entries = [
            entry(None, None, NameMode::Exact),
            entry(None, Some("*.example.org"), NameMode::Exact),
            entry(Some(HERE), None, NameMode::Exact),
            entry(Some(HERE), Some("a.example.org"), NameMode::Exact),
            entry(None, Some("example.net"), NameMode::Domain),
            entry(None, Some("example.com"), NameMode::Below),
        ];
        let cases = [
            ("192.0.2.9:5061", None, 0),
            ("192.0.2.9:5061", Some("other.test"), 0),
            ("192.0.2.9:5061", Some("A.Example.org"), 1),
            ("192.0.2.9:5061", Some("a.b.example.org"), 0),
            (HERE, None, 2),
            (HERE, Some("b.example.org"), 2),
            (HERE, Some("a.example.org."), 3),
            ("192.0.2.9:5061", Some("example.net"), 4),
            ("192.0.2.9:5061", Some("x.y.Example.net"), 4),
            ("192.0.2.9:5061", Some("badexample.net"), 0),
            ("192.0.2.9:5061", Some("example.com"), 0),
            ("192.0.2.9:5061", Some("sip.example.com"), 5),
        ];
        for (addr, name, expected) in cases {
            let addr = Some(addr.parse().unwrap());
            let found = best(entries.iter().map(|e| e.fit_server(addr, name)));
            assert_eq!(found, Some(expected), "{addr:?} {name:?}");
        }
    }

    #[test]
    fn without_sni_the_address_decides() {
        let here = Some(HERE.parse().unwrap());
        let named = entry(Some(HERE), Some("example.org"), NameMode::Exact);
        assert!(named.fit_server(here, None).is_some());
        assert!(named.fit_server(here, Some("example.net")).is_none());
        let any = entry(None, Some("example.org"), NameMode::Exact);
        assert!(any.fit_server(here, None).is_none());
    }

    #[test]
    fn a_client_profile_with_an_address_names_the_server_there() {
        let remote = HERE.parse().unwrap();
        let by_address = entry(Some(HERE), Some("sip.example.org"), NameMode::Exact);
        assert!(by_address.fit_client(remote, Some("example.org")).is_some());
        assert!(by_address.fit_client(remote, None).is_some());
        let by_name = entry(None, Some("sip.example.org"), NameMode::Exact);
        assert!(by_name.fit_client(remote, Some("example.org")).is_none());
        assert!(
            by_name
                .fit_client(remote, Some("sip.example.org"))
                .is_some()
        );
    }
}
