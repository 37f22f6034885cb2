//! Queries in flight: which server is asked when, and what a reply, an error or silence
//! leads to. No socket and no clock in here.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use sipwright_sip::types::Millis;

use super::record::{Answer, Key, Nothing};
use super::wire::{self, Reply};

/// Aliases that are followed from query to query.
const LONGEST_CHAIN: u8 = 8;
/// Name servers that are used at most, as by the system's resolver.
const SERVERS: usize = 3;

/// Who is asked, and with how much patience.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Name servers in order of preference.
    pub servers: Vec<SocketAddr>,
    /// Wait for one reply.
    pub timeout_ms: Millis,
    /// Further tries of each server.
    pub retries: u32,
}

/// One query in flight.
pub type QueryId = u64;

/// What the owner of the sockets has to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Close what this query has open and send these bytes to the server, from a new
    /// port (RFC 5452 section 9.2); a stream puts the length before them.
    Send {
        /// For what comes back.
        query: QueryId,
        /// The name server.
        server: SocketAddr,
        /// By TCP instead of UDP.
        tcp: bool,
        /// The message.
        bytes: Vec<u8>,
    },
    /// The query is over; its socket can be closed.
    Done {
        /// Which.
        query: QueryId,
        /// What was asked.
        key: Key,
        /// What came of it.
        answer: Answer,
    },
}

/// What happened, for the counters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Queries sent, repetitions included.
    pub sent: u64,
    /// Queries that got no reply in time.
    pub timeouts: u64,
    /// Replies that were not to what was asked, or no DNS messages.
    pub bad_replies: u64,
    /// Queries repeated by TCP because the reply was truncated.
    pub truncated: u64,
}

#[derive(Debug)]
struct Query {
    key: Key,
    /// The name asked for now: that of the key, or an alias of it.
    name: Arc<str>,
    /// Least TTL of the aliases so far.
    ttl_s: u32,
    aliases: u8,
    id: u16,
    tcp: bool,
    tries: u32,
    server: usize,
    deadline: Millis,
}

/// All queries in flight.
pub struct Client {
    cfg: ClientConfig,
    queries: HashMap<QueryId, Query>,
    keys: HashMap<Key, QueryId>,
    next: QueryId,
    /// The server that is asked first: one that has answered.
    favourite: usize,
    random_id: Box<dyn FnMut() -> u16 + Send>,
    /// What happened so far.
    pub tally: Tally,
}

impl Client {
    /// Nothing in flight. `random_id` must not be predictable for others.
    #[must_use]
    pub fn new(mut cfg: ClientConfig, random_id: Box<dyn FnMut() -> u16 + Send>) -> Self {
        cfg.servers.truncate(SERVERS);
        Self {
            cfg,
            queries: HashMap::new(),
            keys: HashMap::new(),
            next: 1,
            favourite: 0,
            random_id,
            tally: Tally::default(),
        }
    }

    /// Queries in flight.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queries.len()
    }

    /// When [`Client::handle_timeout`] is to be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        self.queries.values().map(|q| q.deadline).min()
    }

    /// Asks, unless the same is asked already.
    pub fn ask(&mut self, key: Key, now: Millis, out: &mut Vec<Action>) {
        if self.keys.contains_key(&key) {
            return;
        }
        let id = self.next;
        self.next += 1;
        let query = Query {
            name: Arc::clone(&key.name),
            key: key.clone(),
            ttl_s: u32::MAX,
            aliases: 0,
            id: 0,
            tcp: false,
            tries: 0,
            server: self.favourite,
            deadline: now,
        };
        self.keys.insert(key, id);
        self.queries.insert(id, query);
        self.send(id, now, out);
    }

    /// A message came from the server that the query was sent to.
    pub fn received(&mut self, query: QueryId, bytes: &[u8], now: Millis, out: &mut Vec<Action>) {
        let Some(q) = self.queries.get_mut(&query) else {
            return;
        };
        let Some(reply) = wire::reply(bytes, q.id, &q.name, q.key.kind) else {
            self.tally.bad_replies += 1;
            if q.tcp {
                // Whoever answers so on a connection will not do better.
                self.next_server(query, now, out);
            }
            return;
        };
        match reply {
            Reply::Truncated if q.tcp => self.next_server(query, now, out),
            Reply::Truncated => {
                self.tally.truncated += 1;
                q.tcp = true;
                self.send(query, now, out);
            }
            Reply::Unable => self.next_server(query, now, out),
            Reply::Alias(name, ttl) => {
                q.aliases += 1;
                if q.aliases > LONGEST_CHAIN {
                    return self.done(query, Answer::none(Nothing::Failed), out);
                }
                q.name = name;
                q.ttl_s = q.ttl_s.min(ttl);
                q.tcp = false;
                q.tries = 0;
                self.send(query, now, out);
            }
            Reply::Answer(mut answer) => {
                answer.ttl_s = answer.ttl_s.map(|ttl| ttl.min(q.ttl_s));
                self.favourite = q.server;
                self.done(query, answer, out);
            }
        }
    }

    /// The server cannot be reached, or closed the connection.
    pub fn failed(&mut self, query: QueryId, now: Millis, out: &mut Vec<Action>) {
        if self.queries.contains_key(&query) {
            self.next_server(query, now, out);
        }
    }

    /// Sees to the queries whose server has been silent for too long.
    pub fn handle_timeout(&mut self, now: Millis, out: &mut Vec<Action>) {
        let due: Vec<QueryId> = self
            .queries
            .iter()
            .filter(|(_, q)| q.deadline <= now)
            .map(|(id, _)| *id)
            .collect();
        for query in due {
            self.tally.timeouts += 1;
            self.next_server(query, now, out);
        }
    }

    /// The next try, by UDP and to the next server, while there are tries left.
    fn next_server(&mut self, query: QueryId, now: Millis, out: &mut Vec<Action>) {
        let servers = self.cfg.servers.len();
        let most = (self.cfg.retries + 1).saturating_mul(servers as u32);
        let Some(q) = self.queries.get_mut(&query) else {
            return;
        };
        if q.tries >= most {
            return self.done(query, Answer::none(Nothing::Failed), out);
        }
        if q.server == self.favourite {
            // Others need not find out again.
            self.favourite = (self.favourite + 1) % servers.max(1);
        }
        q.server = (q.server + 1) % servers.max(1);
        q.tcp = false;
        self.send(query, now, out);
    }

    fn send(&mut self, query: QueryId, now: Millis, out: &mut Vec<Action>) {
        let Some(q) = self.queries.get_mut(&query) else {
            return;
        };
        q.id = (self.random_id)();
        let server = self.cfg.servers.get(q.server).copied();
        let bytes = wire::query(q.id, &q.name, q.key.kind);
        let (Some(server), Some(bytes)) = (server, bytes) else {
            return self.done(query, Answer::none(Nothing::Failed), out);
        };
        q.tries += 1;
        q.deadline = now + self.cfg.timeout_ms;
        self.tally.sent += 1;
        let tcp = q.tcp;
        out.push(Action::Send {
            query,
            server,
            tcp,
            bytes,
        });
    }

    fn done(&mut self, query: QueryId, answer: Answer, out: &mut Vec<Action>) {
        if let Some(q) = self.queries.remove(&query) {
            self.keys.remove(&q.key);
            out.push(Action::Done {
                query,
                key: q.key,
                answer,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{Kind, Records};
    use super::super::wire::tests::{a, cname, record, reply_to};
    use super::*;

    fn client(servers: u16) -> Client {
        let servers = (1..=servers)
            .map(|i| SocketAddr::from(([192, 0, 2, i as u8], 53)))
            .collect();
        let cfg = ClientConfig {
            servers,
            timeout_ms: 2000,
            retries: 1,
        };
        let mut id = 100;
        let ids = move || {
            id += 1;
            id
        };
        Client::new(cfg, Box::new(ids))
    }

    fn key() -> Key {
        Key::new("a.example", Kind::A).unwrap()
    }

    /// Last octet of the server and transport of each thing sent.
    fn sent(out: &[Action]) -> Vec<(u8, bool)> {
        let one = |action: &Action| match action {
            Action::Send {
                server: SocketAddr::V4(server),
                tcp,
                ..
            } => Some((server.ip().octets()[3], *tcp)),
            _ => None,
        };
        out.iter().filter_map(one).collect()
    }

    fn bytes_of(action: &Action) -> &[u8] {
        match action {
            Action::Send { bytes, .. } => bytes,
            Action::Done { .. } => panic!("nothing was sent: {action:?}"),
        }
    }

    fn answer_of(out: &[Action]) -> Option<&Answer> {
        out.iter().find_map(|action| match action {
            Action::Done { answer, .. } => Some(answer),
            Action::Send { .. } => None,
        })
    }

    fn good(query: &[u8]) -> Vec<u8> {
        reply_to(query, |p| {
            p.answers.push(record("a.example", 60, a([192, 0, 2, 9])))
        })
    }

    #[test]
    fn the_same_question_is_asked_once() {
        let (mut client, mut out) = (client(1), Vec::new());
        client.ask(key(), 0, &mut out);
        client.ask(key(), 5, &mut out);
        assert_eq!(sent(&out), [(1, false)]);
        let reply = good(bytes_of(&out[0]));
        out.clear();
        client.received(1, &reply, 10, &mut out);
        let ttl = answer_of(&out).map(|a| (a.records.len(), a.ttl_s));
        assert_eq!(ttl, Some((1, Some(60))));
        assert_eq!((client.len(), client.next_timeout()), (0, None));
    }

    #[test]
    fn silence_leads_to_the_next_server_and_at_last_to_no_answer() {
        let (mut client, mut out) = (client(2), Vec::new());
        client.ask(key(), 0, &mut out);
        client.handle_timeout(1999, &mut out);
        assert_eq!(sent(&out), [(1, false)], "too early");
        for at in [2000, 4000, 6000] {
            assert_eq!(client.next_timeout(), Some(at));
            client.handle_timeout(at, &mut out);
        }
        assert_eq!(sent(&out), [(1, false), (2, false), (1, false), (2, false)]);
        assert_eq!(answer_of(&out), None);
        client.handle_timeout(8000, &mut out);
        assert_eq!(answer_of(&out), Some(&Answer::none(Nothing::Failed)));
        assert_eq!((client.tally.sent, client.tally.timeouts), (4, 4));
    }

    #[test]
    fn a_server_that_was_silent_is_not_the_first_to_be_asked_again() {
        let (mut client, mut out) = (client(2), Vec::new());
        client.ask(key(), 0, &mut out);
        client.handle_timeout(2000, &mut out);
        out.clear();
        client.ask(Key::new("b.example", Kind::A).unwrap(), 2100, &mut out);
        assert_eq!(sent(&out), [(2, false)]);
    }

    #[test]
    fn every_try_has_an_id_of_its_own_and_late_replies_to_older_ones_are_dropped() {
        let (mut client, mut out) = (client(1), Vec::new());
        client.ask(key(), 0, &mut out);
        let late = good(bytes_of(&out[0]));
        client.handle_timeout(2000, &mut out);
        out.clear();
        client.received(1, &late, 2100, &mut out);
        assert_eq!((out.len(), client.tally.bad_replies), (0, 1));
    }

    #[test]
    fn lies_do_not_end_a_query() {
        let (mut client, mut out) = (client(1), Vec::new());
        client.ask(key(), 0, &mut out);
        let reply = good(bytes_of(&out[0]));
        out.clear();
        client.received(1, b"garbage", 10, &mut out);
        client.received(1, &reply[..20], 20, &mut out);
        assert_eq!((out.len(), client.tally.bad_replies), (0, 2));
        client.received(1, &reply, 30, &mut out);
        assert!(answer_of(&out).is_some());
    }

    #[test]
    fn a_truncated_reply_is_asked_for_by_tcp() {
        let (mut client, mut out) = (client(2), Vec::new());
        client.ask(key(), 0, &mut out);
        let cut = reply_to(bytes_of(&out[0]), |p| {
            p.set_flags(simple_dns::PacketFlag::TRUNCATION)
        });
        client.received(1, &cut, 10, &mut out);
        assert_eq!(sent(&out), [(1, false), (1, true)]);
        let whole = good(bytes_of(&out[1]));
        client.received(1, &whole, 20, &mut out);
        assert!(answer_of(&out).is_some());
    }

    #[test]
    fn a_connection_that_fails_leads_to_the_next_server_by_udp() {
        let (mut client, mut out) = (client(2), Vec::new());
        client.ask(key(), 0, &mut out);
        let cut = reply_to(bytes_of(&out[0]), |p| {
            p.set_flags(simple_dns::PacketFlag::TRUNCATION)
        });
        client.received(1, &cut, 10, &mut out);
        client.failed(1, 20, &mut out);
        assert_eq!(sent(&out), [(1, false), (1, true), (2, false)]);
    }

    #[test]
    fn an_alias_is_asked_for_and_shortens_the_ttl() {
        let (mut client, mut out) = (client(1), Vec::new());
        client.ask(key(), 0, &mut out);
        let alias = reply_to(bytes_of(&out[0]), |p| {
            p.answers.push(record("a.example", 20, cname("b.example")));
        });
        client.received(1, &alias, 10, &mut out);
        let reply = reply_to(bytes_of(&out[1]), |p| {
            p.answers.push(record("b.example", 60, a([192, 0, 2, 9])));
        });
        client.received(1, &reply, 20, &mut out);
        assert_eq!(answer_of(&out).and_then(|a| a.ttl_s), Some(20));
        assert!(matches!(&out[2], Action::Done { key: done, .. } if *done == key()));
    }

    #[test]
    fn aliases_without_end_are_given_up() {
        let (mut client, mut out) = (client(1), Vec::new());
        client.ask(key(), 0, &mut out);
        let names = ["a.example", "b.example"];
        for round in 0..20 {
            let Some(Action::Send { bytes, .. }) = out.pop() else {
                break;
            };
            let reply = reply_to(&bytes, |p| {
                let alias = cname(names[(round + 1) % 2]);
                p.answers.push(record(names[round % 2], 20, alias));
            });
            client.received(1, &reply, 10, &mut out);
            if let Some(answer) = answer_of(&out) {
                assert_eq!(*answer.records, Records::None(Nothing::Failed));
                return;
            }
        }
        panic!("it never ended");
    }

    #[test]
    fn without_name_servers_there_is_no_answer_at_once() {
        let (mut client, mut out) = (client(0), Vec::new());
        client.ask(key(), 0, &mut out);
        assert_eq!(answer_of(&out), Some(&Answer::none(Nothing::Failed)));
    }
}
