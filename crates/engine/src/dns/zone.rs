//! Names that are known without asking: `/etc/hosts`, `dns.hosts`, `dns.records`, and
//! those that never reach a name server (RFC 6761).

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::record::{Key, Kind, Naptr, Nothing, Records, Srv, normal};

/// The records. A name with one record here is known wholly, and so is all below it.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    records: HashMap<Key, Records>,
    names: HashSet<Arc<str>>,
}

impl Zone {
    /// Adds the lines of a hosts file; those that cannot be read are left out, as by
    /// the system's resolver.
    pub fn add_hosts_file(&mut self, text: &str) {
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(Ok(addr)) = words.next().map(str::parse) else {
                continue;
            };
            for name in words {
                self.add_address(name, addr);
            }
        }
    }

    /// Adds an address of a name; false if the name cannot be one.
    pub fn add_address(&mut self, name: &str, addr: IpAddr) -> bool {
        let kind = if addr.is_ipv4() { Kind::A } else { Kind::Aaaa };
        let Some(key) = Key::new(name, kind) else {
            return false;
        };
        self.know(&key.name);
        let known = self
            .records
            .entry(key)
            .or_insert_with(|| Records::Addresses(Vec::new()));
        if let Records::Addresses(all) = known
            && !all.contains(&addr)
        {
            all.push(addr);
        }
        true
    }

    /// Adds a record written as in a zone file: `name [TTL] [IN] type data`.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub fn add_record(&mut self, line: &str) -> Result<(), String> {
        let wrong = || format!("{line:?}: not a record such as \"sip.example.com A 192.0.2.1\"");
        let words = words(line).ok_or_else(wrong)?;
        let (name, rest) = words.split_first().ok_or_else(wrong)?;
        let at = rest
            .iter()
            .position(|w| Kind::parse(w).is_some())
            .filter(|at| *at <= 2)
            .ok_or_else(|| format!("{line:?}: the type must be one of A, AAAA, SRV, NAPTR"))?;
        let kind = Kind::parse(&rest[at]).ok_or_else(wrong)?;
        let key = Key::new(name, kind).ok_or_else(|| format!("{line:?}: {name} is no name"))?;
        let data: Vec<&str> = rest[at + 1..].iter().map(String::as_str).collect();
        match kind {
            Kind::A | Kind::Aaaa => {
                let [addr] = data[..] else {
                    return Err(wrong());
                };
                let addr: IpAddr = addr.parse().map_err(|_| wrong())?;
                if addr.is_ipv4() != (kind == Kind::A) {
                    return Err(wrong());
                }
                self.add_address(name, addr);
            }
            Kind::Srv => {
                let srv = srv(&data).ok_or_else(wrong)?;
                self.know(&key.name);
                let all = self
                    .records
                    .entry(key)
                    .or_insert_with(|| Records::Srv(Vec::new()));
                if let Records::Srv(all) = all {
                    all.push(srv);
                }
            }
            Kind::Naptr => {
                let naptr = naptr(&data).ok_or_else(wrong)?;
                self.know(&key.name);
                let all = self
                    .records
                    .entry(key)
                    .or_insert_with(|| Records::Naptr(Vec::new()));
                if let Records::Naptr(all) = all {
                    all.push(naptr);
                }
            }
        }
        Ok(())
    }

    /// Notes that a name is known here, and with that of a service its domain.
    fn know(&mut self, name: &Arc<str>) {
        let mut domain: &str = name;
        while domain.starts_with('_') {
            domain = domain.split_once('.').map_or("", |(_, rest)| rest);
        }
        if !domain.is_empty() && domain != &**name {
            self.names.insert(domain.into());
        }
        self.names.insert(Arc::clone(name));
    }

    /// Adds what another one knows of names that are not known here.
    pub fn add_unknown(&mut self, other: Self) {
        let new = |key: &Key| !self.names.contains(&key.name);
        let records: Vec<_> = other.records.into_iter().filter(|(k, _)| new(k)).collect();
        for (key, records) in records {
            self.know(&key.name);
            self.records.insert(key, records);
        }
    }

    /// What is known of a name; `None` leaves it to the name servers.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Records> {
        if let Some(records) = self.records.get(key) {
            return Some(records.clone());
        }
        if self.names.contains(&key.name) {
            return Some(Records::None(Nothing::NoData));
        }
        let mut above: &str = &key.name;
        while let Some((_, rest)) = above.split_once('.') {
            if self.names.contains(rest) {
                return Some(Records::None(Nothing::NoName));
            }
            above = rest;
        }
        special(key, above)
    }
}

/// RFC 6761 sections 6.3 and 6.4; `top` is the last label.
fn special(key: &Key, top: &str) -> Option<Records> {
    let services = key.name.starts_with('_');
    match (top, key.kind) {
        ("localhost", Kind::A) if !services => {
            Some(Records::Addresses(vec![Ipv4Addr::LOCALHOST.into()]))
        }
        ("localhost", Kind::Aaaa) if !services => {
            Some(Records::Addresses(vec![Ipv6Addr::LOCALHOST.into()]))
        }
        ("localhost", _) => Some(Records::None(Nothing::NoData)),
        ("invalid", _) => Some(Records::None(Nothing::NoName)),
        _ => None,
    }
}

fn srv(data: &[&str]) -> Option<Srv> {
    let [priority, weight, port, target] = data else {
        return None;
    };
    Some(Srv {
        priority: priority.parse().ok()?,
        weight: weight.parse().ok()?,
        port: port.parse().ok()?,
        target: name_or_root(target)?,
    })
}

fn naptr(data: &[&str]) -> Option<Naptr> {
    let [order, preference, flags, services, _regexp, replacement] = data else {
        return None;
    };
    Some(Naptr {
        order: order.parse().ok()?,
        preference: preference.parse().ok()?,
        flags: (*flags).to_owned(),
        services: (*services).to_owned(),
        replacement: name_or_root(replacement)?,
    })
}

fn name_or_root(name: &str) -> Option<Arc<str>> {
    if name == "." {
        Some("".into())
    } else {
        normal(name)
    }
}

/// The words of a line; those in double quotes may be empty or hold blanks.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(zone: &Zone, name: &str, kind: Kind) -> Option<Records> {
        zone.get(&Key::new(name, kind).unwrap())
    }

    fn addresses(all: &[&str]) -> Option<Records> {
        Some(Records::Addresses(
            all.iter().map(|a| a.parse().unwrap()).collect(),
        ))
    }

    #[test]
    fn a_hosts_file_is_read() {
        let mut zone = Zone::default();
        zone.add_hosts_file(
            "# nothing\n192.0.2.1 Sip.Example alias # x\n2001:db8::1\tsip.example\nbad line\n",
        );
        assert_eq!(
            get(&zone, "sip.example", Kind::A),
            addresses(&["192.0.2.1"])
        );
        assert_eq!(get(&zone, "ALIAS.", Kind::A), addresses(&["192.0.2.1"]));
        assert_eq!(
            get(&zone, "sip.example", Kind::Aaaa),
            addresses(&["2001:db8::1"])
        );
    }

    #[test]
    fn what_is_known_is_known_wholly() {
        let mut zone = Zone::default();
        zone.add_record("_sip._udp.example.com SRV 10 60 5062 a.example.com.")
            .unwrap();
        assert_eq!(
            get(&zone, "example.com", Kind::Naptr),
            Some(Records::None(Nothing::NoData))
        );
        assert_eq!(
            get(&zone, "_sip._tcp.example.com", Kind::Srv),
            Some(Records::None(Nothing::NoName))
        );
        assert_eq!(get(&zone, "com", Kind::A), None);
        assert_eq!(get(&zone, "example.org", Kind::A), None);
    }

    #[test]
    fn records_are_written_as_in_zone_files() {
        let mut zone = Zone::default();
        zone.add_record(
            "example.com. 300 IN NAPTR 10 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.example.com.",
        )
        .unwrap();
        zone.add_record("_sip._udp.example.com SRV 1 2 5060 .")
            .unwrap();
        let Some(Records::Naptr(all)) = get(&zone, "example.com", Kind::Naptr) else {
            panic!()
        };
        assert_eq!(
            all[0].to_string(),
            "10 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.example.com."
        );
        let Some(Records::Srv(all)) = get(&zone, "_sip._udp.example.com", Kind::Srv) else {
            panic!()
        };
        assert_eq!(&*all[0].target, "");
        for line in [
            "",
            "a",
            "a A",
            "a A ::1",
            "a MX 10 b",
            "a SRV 1 2 3",
            "a A 1.2.3.4 5",
            "a NAPTR 1 2 \"s\" \"x",
            "a..b A 192.0.2.1",
        ] {
            assert!(zone.add_record(line).is_err(), "{line}");
        }
    }

    #[test]
    fn special_names_are_never_asked_for() {
        let zone = Zone::default();
        assert_eq!(get(&zone, "localhost", Kind::A), addresses(&["127.0.0.1"]));
        assert_eq!(get(&zone, "pbx.localhost", Kind::Aaaa), addresses(&["::1"]));
        assert_eq!(
            get(&zone, "localhost", Kind::Srv),
            Some(Records::None(Nothing::NoData))
        );
        assert_eq!(
            get(&zone, "no.such.invalid", Kind::A),
            Some(Records::None(Nothing::NoName))
        );
    }
}
