//! Queries and replies as bytes (RFC 1035), by the crate `simple-dns`.

use std::net::IpAddr;
use std::panic::catch_unwind;
use std::sync::Arc;

use simple_dns::rdata::RData;
use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE,
};

use super::record::{Answer, Kind, Naptr, Nothing, Records, Srv, normal};

/// Links of a chain of CNAME records that are followed inside one reply.
const LONGEST_CHAIN: usize = 8;

/// What a reply comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Records, or that there are none.
    Answer(Answer),
    /// The name is another one's alias, and its records are not in the reply. The
    /// number is the TTL of the alias in seconds.
    Alias(Arc<str>, u32),
    /// It did not fit into the datagram: ask by TCP.
    Truncated,
    /// The server cannot or will not say: ask another one.
    Unable,
}

/// A query; `None` for a name that does not fit into one.
#[must_use]
pub fn query(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).ok()?;
    let question = Question::new(
        name,
        QTYPE::TYPE(type_of(kind)),
        QCLASS::CLASS(CLASS::IN),
        false,
    );
    packet.questions.push(question);
    packet.build_bytes_vec().ok()
}

/// Reads a reply. `None` when it is not one to this query: another id or question,
/// or no message at all. Somebody may be guessing (RFC 5452 section 9.1).
#[must_use]
pub fn reply(bytes: &[u8], id: u16, name: &str, kind: Kind) -> Option<Reply> {
    // Whoever sends what the library has not foreseen must not end name resolution.
    let packet = catch_unwind(|| Packet::parse(bytes)).ok()?.ok()?;
    let asked = packet.questions.first()?;
    let ours = packet.id() == id
        && packet.has_flags(PacketFlag::RESPONSE)
        && packet.questions.len() == 1
        && asked.qtype == QTYPE::TYPE(type_of(kind))
        && asked.qclass == QCLASS::CLASS(CLASS::IN)
        && same(&asked.qname, name);
    if !ours {
        return None;
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Some(Reply::Truncated);
    }
    Some(match packet.rcode() {
        RCODE::NoError => answer(&packet, name, kind),
        RCODE::NameError => Reply::Answer(Answer {
            ttl_s: negative_ttl(&packet),
            ..Answer::none(Nothing::NoName)
        }),
        _ => Reply::Unable,
    })
}

fn type_of(kind: Kind) -> TYPE {
    match kind {
        Kind::A => TYPE::A,
        Kind::Aaaa => TYPE::AAAA,
        Kind::Srv => TYPE::SRV,
        Kind::Naptr => TYPE::NAPTR,
    }
}

fn same(name: &Name<'_>, text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    name.to_string().eq_ignore_ascii_case(text)
}

fn answer(packet: &Packet<'_>, name: &str, kind: Kind) -> Reply {
    let mut name = name.to_owned();
    let mut ttl = u32::MAX;
    for _ in 0..=LONGEST_CHAIN {
        let here: Vec<_> = packet
            .answers
            .iter()
            .filter(|r| r.class == CLASS::IN && same(&r.name, &name))
            .collect();
        if let Some((records, least)) = records_of(&here, kind) {
            let ttl_s = Some(ttl.min(least));
            return Reply::Answer(Answer {
                records: Arc::new(records),
                ttl_s,
            });
        }
        let alias = here.iter().find_map(|r| match &r.rdata {
            RData::CNAME(cname) => Some((cname.0.to_string(), r.ttl)),
            _ => None,
        });
        let Some((next, lasts)) = alias else { break };
        name = next;
        ttl = ttl.min(lasts);
    }
    match negative_ttl(packet) {
        None if ttl != u32::MAX => match normal(&name) {
            Some(alias) => Reply::Alias(alias, ttl),
            None => Reply::Unable,
        },
        ttl_s => Reply::Answer(Answer {
            ttl_s,
            ..Answer::none(Nothing::NoData)
        }),
    }
}

/// The records of one type and their least TTL; `None` if there are none.
fn records_of(here: &[&ResourceRecord<'_>], kind: Kind) -> Option<(Records, u32)> {
    let of_kind = |r: &&&ResourceRecord<'_>| r.rdata.type_code() == type_of(kind);
    let least = here.iter().filter(of_kind).map(|r| r.ttl).min()?;
    let data = here.iter().map(|r| &r.rdata);
    let records = match kind {
        Kind::A | Kind::Aaaa => Records::Addresses(data.filter_map(address).collect()),
        Kind::Srv => Records::Srv(data.filter_map(srv).collect()),
        Kind::Naptr => Records::Naptr(data.filter_map(naptr).collect()),
    };
    // Records whose names cannot be looked up are none.
    (!records.is_empty()).then_some((records, least))
}

fn address(data: &RData<'_>) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(IpAddr::V4(a.address.into())),
        RData::AAAA(a) => Some(IpAddr::V6(a.address.into())),
        _ => None,
    }
}

fn srv(data: &RData<'_>) -> Option<Srv> {
    let RData::SRV(srv) = data else { return None };
    Some(Srv {
        priority: srv.priority,
        weight: srv.weight,
        port: srv.port,
        target: name_or_root(&srv.target)?,
    })
}

fn naptr(data: &RData<'_>) -> Option<Naptr> {
    let RData::NAPTR(naptr) = data else {
        return None;
    };
    Some(Naptr {
        order: naptr.order,
        preference: naptr.preference,
        flags: naptr.flags.to_string(),
        services: naptr.services.to_string(),
        replacement: name_or_root(&naptr.replacement)?,
    })
}

/// A name; empty for the root, which stands for "none".
fn name_or_root(name: &Name<'_>) -> Option<Arc<str>> {
    let text = name.to_string();
    if text.is_empty() {
        Some("".into())
    } else {
        normal(&text)
    }
}

/// How long "no" holds: the lesser of the SOA's TTL and its minimum (RFC 2308 section 5).
fn negative_ttl(packet: &Packet<'_>) -> Option<u32> {
    packet.name_servers.iter().find_map(|r| match &r.rdata {
        RData::SOA(soa) => Some(r.ttl.min(soa.minimum)),
        _ => None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use simple_dns::rdata;

    use super::*;

    /// A record of a reply, as a zone file has it.
    pub fn record(name: &'static str, ttl: u32, rdata: RData<'static>) -> ResourceRecord<'static> {
        ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, ttl, rdata)
    }

    pub fn a(octets: [u8; 4]) -> RData<'static> {
        RData::A(rdata::A {
            address: u32::from_be_bytes(octets),
        })
    }

    pub fn cname(name: &'static str) -> RData<'static> {
        RData::CNAME(rdata::CNAME(Name::new(name).unwrap()))
    }

    pub fn soa(minimum: u32) -> RData<'static> {
        let name = Name::new("ns.example").unwrap();
        RData::SOA(rdata::SOA {
            mname: name.clone(),
            rname: name,
            serial: 1,
            refresh: 1,
            retry: 1,
            expire: 1,
            minimum,
        })
    }

    /// A reply to a query; the closure fills it.
    pub fn reply_to(query: &[u8], fill: impl FnOnce(&mut Packet<'_>)) -> Vec<u8> {
        let query = Packet::parse(query).unwrap();
        let mut packet = Packet::new_reply(query.id());
        packet.questions = query.questions.clone();
        fill(&mut packet);
        packet.build_bytes_vec().unwrap()
    }

    fn read(kind: Kind, fill: impl FnOnce(&mut Packet<'_>)) -> Option<Reply> {
        let query = query(7, "A.example.", kind).unwrap();
        reply(&reply_to(&query, fill), 7, "a.example", kind)
    }

    fn addresses(ttl: u32) -> Option<Reply> {
        let records = Arc::new(Records::Addresses(vec!["192.0.2.1".parse().unwrap()]));
        Some(Reply::Answer(Answer {
            records,
            ttl_s: Some(ttl),
        }))
    }

    fn none(why: Nothing, ttl_s: Option<u32>) -> Option<Reply> {
        Some(Reply::Answer(Answer {
            ttl_s,
            ..Answer::none(why)
        }))
    }

    #[test]
    fn records_come_with_their_least_ttl() {
        let found = read(Kind::A, |p| {
            p.answers.push(record("a.example", 60, a([192, 0, 2, 1])));
            p.answers
                .push(record("other.example", 1, a([192, 0, 2, 9])));
        });
        assert_eq!(found, addresses(60));
    }

    #[test]
    fn aliases_are_followed_and_shorten_the_ttl() {
        let found = read(Kind::A, |p| {
            p.answers.push(record("b.example", 60, a([192, 0, 2, 1])));
            p.answers.push(record("a.example", 20, cname("b.example")));
        });
        assert_eq!(found, addresses(20));
    }

    #[test]
    fn an_alias_without_its_records_is_to_be_asked_for() {
        let found = read(Kind::A, |p| {
            p.answers.push(record("a.example", 20, cname("B.Example")));
        });
        assert_eq!(found, Some(Reply::Alias("b.example".into(), 20)));
    }

    #[test]
    fn an_alias_that_leads_back_to_itself_ends() {
        let found = read(Kind::A, |p| {
            p.answers.push(record("a.example", 20, cname("b.example")));
            p.answers.push(record("b.example", 20, cname("a.example")));
        });
        assert!(matches!(found, Some(Reply::Alias(_, 20))), "{found:?}");
    }

    #[test]
    fn no_is_kept_as_long_as_the_soa_says() {
        let found = read(Kind::A, |p| {
            *p.rcode_mut() = RCODE::NameError;
            p.name_servers.push(record("example", 300, soa(30)));
        });
        assert_eq!(found, none(Nothing::NoName, Some(30)));
        assert_eq!(read(Kind::Srv, |_| {}), none(Nothing::NoData, None));
    }

    #[test]
    fn srv_and_naptr_are_read() {
        let found = read(Kind::Srv, |p| {
            let target = Name::new("S.example").unwrap();
            let srv = rdata::SRV {
                priority: 1,
                weight: 2,
                port: 3,
                target,
            };
            p.answers.push(record("a.example", 9, RData::SRV(srv)));
        });
        let Some(Reply::Answer(answer)) = found else {
            panic!("{found:?}")
        };
        assert_eq!(answer.records.lines(), ["1 2 3 s.example."]);
        let found = read(Kind::Naptr, |p| {
            let naptr = rdata::NAPTR {
                order: 1,
                preference: 2,
                flags: "s".try_into().unwrap(),
                services: "SIP+D2U".try_into().unwrap(),
                regexp: "".try_into().unwrap(),
                replacement: Name::new("_sip._udp.example").unwrap(),
            };
            p.answers.push(record("a.example", 9, RData::NAPTR(naptr)));
        });
        let Some(Reply::Answer(answer)) = found else {
            panic!("{found:?}")
        };
        assert_eq!(
            answer.records.lines(),
            ["1 2 \"s\" \"SIP+D2U\" \"\" _sip._udp.example."]
        );
    }

    #[test]
    fn truncated_and_refused_replies_lead_elsewhere() {
        let truncated = read(Kind::A, |p| p.set_flags(PacketFlag::TRUNCATION));
        assert_eq!(truncated, Some(Reply::Truncated));
        for rcode in [RCODE::ServerFailure, RCODE::Refused, RCODE::FormatError] {
            assert_eq!(
                read(Kind::A, |p| *p.rcode_mut() = rcode),
                Some(Reply::Unable)
            );
        }
    }

    #[test]
    fn what_is_no_reply_to_the_query_is_nothing() {
        let asked = query(7, "a.example", Kind::A).unwrap();
        let good = reply_to(&asked, |p| {
            p.answers.push(record("a.example", 60, a([192, 0, 2, 1])))
        });
        assert!(reply(&good, 7, "a.example", Kind::A).is_some());
        assert_eq!(reply(&good, 8, "a.example", Kind::A), None, "another id");
        assert_eq!(reply(&good, 7, "b.example", Kind::A), None, "another name");
        assert_eq!(
            reply(&good, 7, "a.example", Kind::Aaaa),
            None,
            "another type"
        );
        assert_eq!(
            reply(&asked, 7, "a.example", Kind::A),
            None,
            "the query itself"
        );
        for cut in 0..good.len() {
            assert_eq!(
                reply(&good[..cut], 7, "a.example", Kind::A),
                None,
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let asked = query(7, "a.example", Kind::A).unwrap();
        let good = reply_to(&asked, |p| {
            p.answers.push(record("a.example", 20, cname("b.example")));
            p.answers.push(record("b.example", 60, a([192, 0, 2, 1])));
        });
        let mut random = super::super::Seeded(1);
        use super::super::Random;
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len() as u32) as usize;
                bytes[at] = random.below(256) as u8;
            }
            let parsed = std::panic::catch_unwind(|| Packet::parse(&bytes).is_ok());
            assert!(parsed.is_ok(), "{bytes:?}");
            let _ = reply(&bytes, 7, "a.example", Kind::A);
        }
    }
}
