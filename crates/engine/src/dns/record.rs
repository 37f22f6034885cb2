//! What is asked of the DNS and what it says, as far as SIP needs it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Longest name, in text (RFC 1035 section 2.3.4 counts 255 on the wire).
const LONGEST_NAME: usize = 253;

/// Types of records that locating a SIP server takes (RFC 3263 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// IPv4 addresses (RFC 1035).
    A,
    /// IPv6 addresses (RFC 3596).
    Aaaa,
    /// Hosts and ports of a service (RFC 2782).
    Srv,
    /// Services of a domain (RFC 3403).
    Naptr,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::A, Self::Aaaa, Self::Srv, Self::Naptr];

    /// Name as in zone files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Srv => "SRV",
            Self::Naptr => "NAPTR",
        }
    }

    /// The type of that name, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }
}

/// A name and a type: what one query asks for.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key {
    /// Lower case, without the last dot.
    pub name: Arc<str>,
    /// Type of record.
    pub kind: Kind,
}

impl Key {
    /// The key of a name as written; `None` when it cannot be a domain name.
    #[must_use]
    pub fn new(name: &str, kind: Kind) -> Option<Self> {
        let name = normal(name)?;
        Some(Self { name, kind })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind.as_str())
    }
}

/// A domain name in lower case and without its last dot, if it is one: labels of 1 to
/// 63 printable characters.
#[must_use]
pub fn normal(name: &str) -> Option<Arc<str>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let fits = |label: &str| (1..=63).contains(&label.len());
    let plain = |b: u8| b.is_ascii_graphic() && b != b'\\';
    let valid = name.len() <= LONGEST_NAME && name.bytes().all(plain) && name.split('.').all(fits);
    valid.then(|| name.to_ascii_lowercase().into())
}

/// One SRV record (RFC 2782).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Srv {
    /// Lower ones are tried first.
    pub priority: u16,
    /// Share among those of equal priority.
    pub weight: u16,
    /// Port of the service.
    pub port: u16,
    /// Host; empty where the service is decidedly not offered (target `.`).
    pub target: Arc<str>,
}

/// One NAPTR record (RFC 3403), without its regular expression, which SIP does not use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Naptr {
    /// Lower ones are tried first.
    pub order: u16,
    /// Lower ones are preferred within an order.
    pub preference: u16,
    /// What the replacement is: `s` the name of SRV records, `a` a host.
    pub flags: String,
    /// Service, such as `SIP+D2U`.
    pub services: String,
    /// Next name to look up; empty when there is none.
    pub replacement: Arc<str>,
}

/// Why there are no records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nothing {
    /// There is no such name (NXDOMAIN).
    NoName,
    /// The name has no record of that type.
    NoData,
    /// No name server gave an answer that could be used.
    Failed,
}

/// The answer to one query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Records {
    /// Of type A or AAAA.
    Addresses(Vec<IpAddr>),
    /// Of type SRV.
    Srv(Vec<Srv>),
    /// Of type NAPTR.
    Naptr(Vec<Naptr>),
    /// None.
    None(Nothing),
}

impl Records {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Addresses(all) => all.len(),
            Self::Srv(all) => all.len(),
            Self::Naptr(all) => all.len(),
            Self::None(_) => 0,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each record as zone files write its data; one line says why there is none.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Addresses(all) => all.iter().map(ToString::to_string).collect(),
            Self::Srv(all) => all.iter().map(ToString::to_string).collect(),
            Self::Naptr(all) => all.iter().map(ToString::to_string).collect(),
            Self::None(Nothing::NoName) => vec!["no such name".to_owned()],
            Self::None(Nothing::NoData) => vec!["no such record".to_owned()],
            Self::None(Nothing::Failed) => vec!["no answer".to_owned()],
        }
    }
}

impl fmt::Display for Srv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            priority,
            weight,
            port,
            target,
        } = self;
        write!(f, "{priority} {weight} {port} {target}.")
    }
}

impl fmt::Display for Naptr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            order,
            preference,
            flags,
            services,
            replacement,
        } = self;
        write!(
            f,
            "{order} {preference} \"{flags}\" \"{services}\" \"\" {replacement}."
        )
    }
}

/// Records with the time they may be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The records.
    pub records: Arc<Records>,
    /// Least TTL of all that led to them, in seconds; for none, what the SOA allows
    /// (RFC 2308 section 5), and `None` where nothing was said.
    pub ttl_s: Option<u32>,
}

impl Answer {
    /// No records, with nothing said on how long that holds.
    #[must_use]
    pub fn none(why: Nothing) -> Self {
        Self {
            records: Arc::new(Records::None(why)),
            ttl_s: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_last_dot() {
        assert_eq!(normal("Example.COM.").as_deref(), Some("example.com"));
        assert_eq!(
            normal("_sip._udp.example.com").as_deref(),
            Some("_sip._udp.example.com")
        );
    }

    #[test]
    fn what_cannot_be_a_name_is_none() {
        let long = format!("{}.example", "a".repeat(64));
        let longer = "a.".repeat(200);
        for name in [
            "", ".", "a..b", ".a", "a b", "a\\.b", "\u{e4}", &long, &longer,
        ] {
            assert_eq!(normal(name), None, "{name}");
        }
    }
}
