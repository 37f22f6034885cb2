//! Where the SIP server of a domain is (RFC 3263 section 4).
//!
//! [`locate`] asks nobody: it looks at what is known, and either comes to the whole
//! list of targets or leaves in [`Known::missing`] what has to be asked first. Then it
//! is called again. Workers and the DNS thread use it alike, and tests need no network.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sipwright_sip::types::Proto;

use super::record::{Kind, Naptr, Nothing, Records, Srv};
use super::select::{Random, order_naptr, order_srv};

/// Targets that are tried at most; who publishes more is not served better by them.
const MOST_TARGETS: usize = 16;

/// A next hop by name (RFC 3263 section 4: the TARGET and what the URI says of it).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Host name.
    pub host: Arc<str>,
    /// Port, if the URI names one: then neither NAPTR nor SRV are asked.
    pub port: Option<u16>,
    /// Transport, if the URI names one: then no NAPTR is asked.
    pub proto: Option<Proto>,
    /// Whether every hop has to be secure (`sips`).
    pub secure: bool,
}

/// What a server can use, and what its operator wants.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Transports and families of the listening sockets: `(transport, is IPv4)`.
    pub sockets: Vec<(Proto, bool)>,
    /// Whether NAPTR records are asked for (Kamailio's `dns_try_naptr`).
    pub naptr: bool,
    /// Whether SRV records are asked for.
    pub srv: bool,
    /// Whether IPv6 addresses come before IPv4 ones (Kamailio's `dns_cache_flags` 4).
    pub prefer_ipv6: bool,
}

impl Policy {
    fn has(&self, proto: Proto) -> bool {
        self.sockets.iter().any(|(p, _)| *p == proto)
    }

    /// Types of address records worth asking for, in order of preference.
    fn kinds(&self, proto: Proto) -> Vec<Kind> {
        let mut kinds = Vec::with_capacity(2);
        for (kind, v4) in [(Kind::A, true), (Kind::Aaaa, false)] {
            if self.sockets.contains(&(proto, v4)) {
                kinds.push(kind);
            }
        }
        if self.prefer_ipv6 {
            kinds.reverse();
        }
        kinds
    }
}

/// One place to send a request to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Transport.
    pub proto: Proto,
    /// Address and port.
    pub addr: SocketAddr,
}

/// Why there is no target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoTarget {
    /// The name has none, or no name server answered.
    Unresolved(Nothing),
    /// No socket of that transport listens.
    Transport(Proto),
}

/// What is known so far, and what is not.
pub trait Known {
    /// The records of a name; `None` when they have to be asked for first, which is
    /// noted.
    fn get(&mut self, name: &str, kind: Kind) -> Option<Arc<Records>>;
}

/// The targets of a next hop, best first; `None` while something has to be asked.
pub fn locate(
    wanted: &Wanted,
    policy: &Policy,
    known: &mut dyn Known,
    random: &mut dyn Random,
) -> Option<Result<Vec<Target>, NoTarget>> {
    let default = default_proto(wanted, policy);
    if !policy.has(default) {
        return Some(Err(NoTarget::Transport(default)));
    }
    let services = match wanted.port {
        Some(_) => Some(Vec::new()),
        None => services(wanted, policy, known, random),
    }?;
    let mut hosts: Vec<(Proto, Arc<str>, u16)> = services;
    if hosts.is_empty() {
        let port = wanted.port.unwrap_or(default.default_port());
        hosts.push((default, Arc::clone(&wanted.host), port));
    }
    hosts.truncate(MOST_TARGETS);
    addresses(&hosts, policy, known)
}

/// The transport without any record that says otherwise (section 4.1): that of the
/// URI; TLS for `sips`; else UDP, or what there is instead.
fn default_proto(wanted: &Wanted, policy: &Policy) -> Proto {
    match wanted.proto {
        Some(proto) => proto,
        None if wanted.secure => Proto::Tls,
        None => [Proto::Udp, Proto::Tcp, Proto::Tls]
            .into_iter()
            .find(|p| policy.has(*p))
            .unwrap_or(Proto::Udp),
    }
}

/// Hosts and ports by NAPTR and SRV records; empty when the domain has none.
fn services(
    wanted: &Wanted,
    policy: &Policy,
    known: &mut dyn Known,
    random: &mut dyn Random,
) -> Option<Vec<(Proto, Arc<str>, u16)>> {
    let mut steps = Vec::new();
    if wanted.proto.is_none() && policy.naptr {
        let records = known.get(&wanted.host, Kind::Naptr)?;
        if let Records::Naptr(all) = &*records {
            steps = naptr_steps(all, wanted, policy);
        }
    }
    if steps.is_empty() && policy.srv {
        steps = srv_steps(wanted, policy);
    }
    let mut complete = true;
    let mut hosts = Vec::new();
    for step in steps {
        match step {
            Step::Host(proto, host) => hosts.push((proto, host, proto.default_port())),
            Step::Srv(proto, name) => match known.get(&name, Kind::Srv).as_deref() {
                None => complete = false,
                Some(Records::Srv(all)) => {
                    let ordered = order_srv(all, random).into_iter();
                    hosts.extend(ordered.map(|Srv { port, target, .. }| (proto, target, port)));
                }
                Some(_) => {}
            },
        }
    }
    complete.then_some(hosts)
}

/// What to look up next for one transport.
enum Step {
    /// SRV records of that name.
    Srv(Proto, Arc<str>),
    /// Addresses of that host.
    Host(Proto, Arc<str>),
}

/// The usable NAPTR records in order (section 4.1): those of transports that we have,
/// for `sips` only the secure ones.
fn naptr_steps(all: &[Naptr], wanted: &Wanted, policy: &Policy) -> Vec<Step> {
    let usable = order_naptr(all).into_iter().filter_map(|naptr| {
        let proto = match naptr.services.to_ascii_uppercase().as_str() {
            "SIP+D2U" => Proto::Udp,
            "SIP+D2T" => Proto::Tcp,
            "SIPS+D2T" => Proto::Tls,
            _ => return None,
        };
        let fits = policy.has(proto) && (!wanted.secure || proto.is_secure());
        if !fits || naptr.replacement.is_empty() {
            return None;
        }
        let next = Arc::clone(&naptr.replacement);
        match naptr.flags.to_ascii_lowercase().as_str() {
            "s" => Some(Step::Srv(proto, next)),
            "a" => Some(Step::Host(proto, next)),
            _ => None,
        }
    });
    usable.collect()
}

/// SRV names of the transports that fit, UDP first (section 4.1, last paragraphs).
fn srv_steps(wanted: &Wanted, policy: &Policy) -> Vec<Step> {
    let service = |proto| match proto {
        Proto::Udp => Some("_sip._udp."),
        Proto::Tcp => Some("_sip._tcp."),
        Proto::Tls => Some("_sips._tcp."),
        Proto::Ws | Proto::Wss => None,
    };
    let fits = |proto: &Proto| {
        policy.has(*proto)
            && wanted.proto.is_none_or(|p| p == *proto)
            && (!wanted.secure || proto.is_secure())
    };
    [Proto::Udp, Proto::Tcp, Proto::Tls]
        .into_iter()
        .filter(fits)
        .filter_map(|proto| Some((proto, service(proto)?)))
        .map(|(proto, service)| Step::Srv(proto, format!("{service}{}", wanted.host).into()))
        .collect()
}

/// Addresses of hosts, each once and in their order (section 4.2).
fn addresses(
    hosts: &[(Proto, Arc<str>, u16)],
    policy: &Policy,
    known: &mut dyn Known,
) -> Option<Result<Vec<Target>, NoTarget>> {
    let mut complete = true;
    let mut targets: Vec<Target> = Vec::new();
    let mut why = Nothing::NoName;
    for (proto, host, port) in hosts {
        if host.is_empty() {
            // SRV with target ".": the service is decidedly not offered.
            continue;
        }
        for kind in policy.kinds(*proto) {
            let Some(records) = lookup(known, host, kind) else {
                complete = false;
                continue;
            };
            match &*records {
                Records::Addresses(all) => {
                    for ip in all {
                        let addr = SocketAddr::new(*ip, *port);
                        let target = Target {
                            proto: *proto,
                            addr,
                        };
                        if !targets.contains(&target) {
                            targets.push(target);
                        }
                    }
                }
                Records::None(nothing) if why == Nothing::NoName => why = *nothing,
                _ => {}
            }
        }
    }
    if !complete {
        return None;
    }
    targets.truncate(MOST_TARGETS);
    Some(if targets.is_empty() {
        Err(NoTarget::Unresolved(why))
    } else {
        Ok(targets)
    })
}

/// A host that is an address needs no look-up, although RFC 2782 wants a name there.
fn lookup(known: &mut dyn Known, host: &str, kind: Kind) -> Option<Arc<Records>> {
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_ipv4() == (kind == Kind::A) => Some(Arc::new(Records::Addresses(vec![ip]))),
        Ok(_) => Some(Arc::new(Records::None(Nothing::NoData))),
        Err(_) => known.get(host, kind),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::select::Seeded;
    use super::super::{Key, Zone};
    use super::*;

    /// A zone that says of nothing that it has to be asked first.
    struct World {
        zone: Zone,
        asked: Vec<String>,
        /// Names whose answer is not there yet.
        missing: Vec<&'static str>,
    }

    impl Known for World {
        fn get(&mut self, name: &str, kind: Kind) -> Option<Arc<Records>> {
            self.asked.push(format!("{name} {}", kind.as_str()));
            if self.missing.contains(&name) {
                return None;
            }
            let known = Key::new(name, kind).and_then(|key| self.zone.get(&key));
            Some(Arc::new(known.unwrap_or(Records::None(Nothing::NoName))))
        }
    }

    fn world(records: &[&str]) -> World {
        let mut zone = Zone::default();
        for line in records {
            zone.add_record(line).unwrap();
        }
        World {
            zone,
            asked: Vec::new(),
            missing: Vec::new(),
        }
    }

    fn all() -> Policy {
        let protos = [Proto::Udp, Proto::Tcp, Proto::Tls];
        Policy {
            sockets: protos
                .into_iter()
                .flat_map(|p| [(p, true), (p, false)])
                .collect(),
            naptr: true,
            srv: true,
            prefer_ipv6: false,
        }
    }

    fn wanted(host: &str) -> Wanted {
        Wanted {
            host: host.into(),
            port: None,
            proto: None,
            secure: false,
        }
    }

    fn find(wanted: &Wanted, policy: &Policy, world: &mut World) -> Vec<String> {
        match locate(wanted, policy, world, &mut Seeded(1)) {
            None => vec!["missing".to_owned()],
            Some(Err(why)) => vec![format!("{why:?}")],
            Some(Ok(targets)) => targets
                .iter()
                .map(|t| format!("{}:{}", t.proto, t.addr))
                .collect(),
        }
    }

    const FULL: &[&str] = &[
        "example.com NAPTR 20 10 s SIP+D2U \"\" _sip._udp.example.com",
        "example.com NAPTR 10 20 s SIP+D2T \"\" _sip._tcp.example.com",
        "example.com NAPTR 10 10 S sips+d2t \"\" _sips._tcp.example.com",
        "example.com NAPTR 1 1 s SIP+D2S \"\" _sip._sctp.example.com",
        "example.com NAPTR 1 1 u E2U+sip \"\" example.com",
        "_sip._udp.example.com SRV 1 0 5070 a.example.com",
        "_sip._tcp.example.com SRV 1 0 5080 b.example.com",
        "_sips._tcp.example.com SRV 1 0 5081 b.example.com",
        "a.example.com A 192.0.2.1",
        "b.example.com A 192.0.2.2",
        "b.example.com AAAA 2001:db8::2",
        "example.com A 192.0.2.9",
    ];

    #[test]
    fn naptr_names_the_transports_in_order() {
        let found = find(&wanted("example.com"), &all(), &mut world(FULL));
        let expected = [
            "tls:192.0.2.2:5081",
            "tls:[2001:db8::2]:5081",
            "tcp:192.0.2.2:5080",
            "tcp:[2001:db8::2]:5080",
            "udp:192.0.2.1:5070",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn sips_takes_secure_transports_only() {
        let sips = Wanted {
            secure: true,
            ..wanted("example.com")
        };
        let found = find(&sips, &all(), &mut world(FULL));
        assert_eq!(found, ["tls:192.0.2.2:5081", "tls:[2001:db8::2]:5081"]);
        let mut bare = world(&["example.com A 192.0.2.9"]);
        assert_eq!(find(&sips, &all(), &mut bare), ["tls:192.0.2.9:5061"]);
    }

    #[test]
    fn only_what_the_server_listens_on_is_a_candidate() {
        let udp4 = Policy {
            sockets: vec![(Proto::Udp, true)],
            ..all()
        };
        assert_eq!(
            find(&wanted("example.com"), &udp4, &mut world(FULL)),
            ["udp:192.0.2.1:5070"]
        );
        let tcp6 = Policy {
            sockets: vec![(Proto::Tcp, false)],
            ..all()
        };
        assert_eq!(
            find(&wanted("example.com"), &tcp6, &mut world(FULL)),
            ["tcp:[2001:db8::2]:5080"]
        );
        let tls = Wanted {
            proto: Some(Proto::Tls),
            ..wanted("example.com")
        };
        assert_eq!(find(&tls, &udp4, &mut world(FULL)), ["Transport(Tls)"]);
    }

    #[test]
    fn a_port_asks_for_addresses_alone() {
        let mut world = world(FULL);
        let port = Wanted {
            port: Some(5099),
            ..wanted("example.com")
        };
        assert_eq!(find(&port, &all(), &mut world), ["udp:192.0.2.9:5099"]);
        assert_eq!(world.asked, ["example.com A", "example.com AAAA"]);
    }

    #[test]
    fn a_transport_asks_for_its_srv_alone() {
        let mut world = world(FULL);
        let tcp = Wanted {
            proto: Some(Proto::Tcp),
            ..wanted("example.com")
        };
        let found = find(&tcp, &all(), &mut world);
        assert_eq!(found, ["tcp:192.0.2.2:5080", "tcp:[2001:db8::2]:5080"]);
        assert_eq!(world.asked[0], "_sip._tcp.example.com SRV");
        assert!(!world.asked.iter().any(|a| a.contains("NAPTR")));
    }

    #[test]
    fn without_naptr_the_srv_of_each_transport_is_asked_for() {
        let records: Vec<&str> = FULL
            .iter()
            .copied()
            .filter(|r| !r.contains("NAPTR"))
            .collect();
        let found = find(&wanted("example.com"), &all(), &mut world(&records));
        assert_eq!(found[0], "udp:192.0.2.1:5070");
        assert_eq!(found[1], "tcp:192.0.2.2:5080");
        assert_eq!(found[3], "tls:192.0.2.2:5081");
        let off = Policy {
            naptr: false,
            ..all()
        };
        assert_eq!(find(&wanted("example.com"), &off, &mut world(FULL)), found);
    }

    #[test]
    fn without_srv_the_host_itself_is_the_target() {
        let mut bare = world(&["example.com AAAA 2001:db8::9", "example.com A 192.0.2.9"]);
        let found = find(&wanted("example.com"), &all(), &mut bare);
        assert_eq!(found, ["udp:192.0.2.9:5060", "udp:[2001:db8::9]:5060"]);
        let six = Policy {
            prefer_ipv6: true,
            ..all()
        };
        let found = find(&wanted("example.com"), &six, &mut bare);
        assert_eq!(found, ["udp:[2001:db8::9]:5060", "udp:192.0.2.9:5060"]);
        let off = Policy {
            naptr: false,
            srv: false,
            ..all()
        };
        let found = find(&wanted("example.com"), &off, &mut world(FULL));
        assert_eq!(found, ["udp:192.0.2.9:5060"]);
    }

    #[test]
    fn flag_a_leads_to_a_host() {
        let mut world = world(&[
            "example.com NAPTR 1 1 a SIP+D2T \"\" b.example.com",
            "b.example.com A 192.0.2.2",
        ]);
        assert_eq!(
            find(&wanted("example.com"), &all(), &mut world),
            ["tcp:192.0.2.2:5060"]
        );
    }

    #[test]
    fn a_service_that_is_not_offered_has_no_target() {
        let mut world = world(&[
            "_sip._udp.example.com SRV 0 0 0 .",
            "example.com A 192.0.2.9",
        ]);
        let udp = Wanted {
            proto: Some(Proto::Udp),
            ..wanted("example.com")
        };
        assert_eq!(find(&udp, &all(), &mut world), ["Unresolved(NoName)"]);
    }

    #[test]
    fn what_is_missing_is_asked_for_all_at_once() {
        let mut world = world(FULL);
        world.missing = vec!["a.example.com", "b.example.com"];
        assert_eq!(
            find(&wanted("example.com"), &all(), &mut world),
            ["missing"]
        );
        let asked: Vec<&str> = world.asked.iter().map(String::as_str).collect();
        for name in ["a.example.com A", "a.example.com AAAA", "b.example.com A"] {
            assert!(asked.contains(&name), "{name}: {asked:?}");
        }
    }

    #[test]
    fn priorities_and_weights_rule_the_order() {
        let mut records = vec!["_sip._udp.example.com SRV 2 1 5060 z.example.com".to_owned()];
        records.push("z.example.com A 192.0.2.100".to_owned());
        for (i, weight) in [(1, 10), (2, 90)] {
            records.push(format!(
                "_sip._udp.example.com SRV 1 {weight} 5060 h{i}.example.com"
            ));
            records.push(format!("h{i}.example.com A 192.0.2.{i}"));
        }
        let lines: Vec<&str> = records.iter().map(String::as_str).collect();
        let (mut world, mut first) = (world(&lines), HashMap::new());
        for seed in 0..1000 {
            let found = locate(
                &wanted("example.com"),
                &all(),
                &mut world,
                &mut Seeded(seed),
            );
            let targets = found.unwrap().unwrap();
            assert_eq!(targets.len(), 3);
            assert_eq!(targets[2].addr.ip().to_string(), "192.0.2.100");
            *first.entry(targets[0].addr.ip().to_string()).or_insert(0) += 1;
        }
        assert!((850..950).contains(&first["192.0.2.2"]), "{first:?}");
    }

    #[test]
    fn the_list_is_short_whatever_is_published() {
        let mut records: Vec<String> = (0..200)
            .map(|i| format!("example.com A 192.0.2.{i}"))
            .collect();
        records.push("example.com A 192.0.2.1".to_owned());
        let lines: Vec<&str> = records.iter().map(String::as_str).collect();
        let found = find(&wanted("example.com"), &all(), &mut world(&lines));
        assert_eq!(found.len(), MOST_TARGETS);
    }
}
