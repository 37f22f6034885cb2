//! Closed-loop SIP load over UDP: keeps a fixed number of requests outstanding and prints one JSON line.
//!
//! Build: `rustc --edition 2021 -O udp_closed_loop.rs`. Run: `udp_closed_loop HOST:PORT SECONDS [OUTSTANDING [USERS [FILE]]]`.
//! The requests are OPTIONS, or with USERS the REGISTER of that many users in turn, who refresh one contact each. Line N of
//! FILE is a header field of user N, such as its Authorization.
//! A request whose answer does not come within `LOST_AFTER` counts as lost and its slot starts a new one.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use std::{env, fs, io, process};

const LOST_AFTER: Duration = Duration::from_millis(500);
const READ_TIMEOUT: Duration = Duration::from_millis(50);
const DRAIN: Duration = Duration::from_millis(300);
const BRANCH: &[u8] = b";branch=z9hG4bK-";

struct Slot {
    seq: u64,
    sent_at: Option<Instant>,
}

struct Load {
    socket: UdpSocket,
    local: SocketAddr,
    peer: SocketAddr,
    slots: Vec<Slot>,
    users: u64,
    fields: Vec<String>,
    sent: u64,
    answered: u64,
    lost: u64,
    bad: u64,
    latencies_us: Vec<u32>,
}

impl Load {
    fn open(
        peer: SocketAddr,
        outstanding: usize,
        users: u64,
        fields: Vec<String>,
    ) -> io::Result<Self> {
        let any = if peer.ip().is_loopback() {
            peer.ip().to_string()
        } else {
            "0.0.0.0".to_owned()
        };
        let socket = UdpSocket::bind((any.as_str(), 0))?;
        socket.set_read_timeout(Some(READ_TIMEOUT))?;
        let local = socket.local_addr()?;
        let slots = (0..outstanding)
            .map(|_| Slot {
                seq: 0,
                sent_at: None,
            })
            .collect();
        Ok(Self {
            socket,
            local,
            peer,
            slots,
            users,
            fields,
            sent: 0,
            answered: 0,
            lost: 0,
            bad: 0,
            latencies_us: Vec::new(),
        })
    }

    fn send(&mut self, index: usize) -> io::Result<()> {
        self.slots[index].seq += 1;
        let request = if self.users == 0 {
            self.options(index)
        } else {
            self.register(index)
        };
        let peer = self.peer;
        self.slots[index].sent_at = Some(Instant::now());
        self.sent += 1;
        match self.socket.send_to(request.as_bytes(), peer) {
            Ok(_) => Ok(()),
            // A full buffer or an ICMP error: the request is lost, the slot is renewed in time.
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::WouldBlock | ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(())
            }
            Err(e) => Err(e),
        }
    }

    fn options(&self, index: usize) -> String {
        let (local, peer) = (self.local, self.peer);
        let id = format!("{index}-{}", self.slots[index].seq);
        format!(
            "OPTIONS sip:ping@{peer} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK-{id}\r\n\
             From: <sip:load@{local}>;tag=t{id}\r\n\
             To: <sip:ping@{peer}>\r\n\
             Call-ID: {id}\r\n\
             CSeq: 1 OPTIONS\r\n\
             Contact: <sip:load@{local}>\r\n\
             Max-Forwards: 70\r\n\
             User-Agent: udp_closed_loop\r\n\
             Content-Length: 0\r\n\r\n"
        )
    }

    /// Each slot has users of its own, so that no two requests of one user overtake each other.
    fn register(&self, index: usize) -> String {
        let (local, peer) = (self.local, self.peer);
        let (slots, seq) = (self.slots.len() as u64, self.slots[index].seq);
        let each = self.users.div_ceil(slots);
        let user = index as u64 + slots * (seq % each);
        let field = usize::try_from(user)
            .ok()
            .and_then(|user| self.fields.get(user))
            .map_or_else(String::new, |field| format!("{field}\r\n"));
        format!(
            "REGISTER sip:{peer} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK-{index}-{seq};rport\r\n\
             From: <sip:user{user}@{peer}>;tag=t{index}-{seq}\r\n\
             To: <sip:user{user}@{peer}>\r\n\
             Call-ID: registration-of-user-{user}@{local}\r\n\
             CSeq: {seq} REGISTER\r\n\
             {field}\
             Contact: <sip:user{user}@{local};transport=udp>\r\n\
             Max-Forwards: 70\r\n\
             Expires: 3600\r\n\
             User-Agent: udp_closed_loop\r\n\
             Content-Length: 0\r\n\r\n"
        )
    }

    /// Returns the slot the reply belongs to; `None` for a late, foreign or wrong one.
    fn accept(&mut self, reply: &[u8]) -> Option<usize> {
        let found = parse_branch(reply).filter(|_| reply.starts_with(b"SIP/2.0 200 "));
        let Some((index, seq)) = found else {
            self.bad += 1;
            return None;
        };
        let slot = self.slots.get_mut(index).filter(|s| s.seq == seq)?;
        let elapsed = slot.sent_at.take()?.elapsed();
        self.answered += 1;
        self.latencies_us
            .push(u32::try_from(elapsed.as_micros()).unwrap_or(u32::MAX));
        Some(index)
    }

    fn renew_lost(&mut self) -> io::Result<()> {
        for index in 0..self.slots.len() {
            if self.slots[index]
                .sent_at
                .is_some_and(|at| at.elapsed() > LOST_AFTER)
            {
                self.lost += 1;
                self.send(index)?;
            }
        }
        Ok(())
    }

    fn run(&mut self, length: Duration) -> io::Result<f64> {
        let mut buffer = [0_u8; 65_536];
        let start = Instant::now();
        let mut next_check = start + READ_TIMEOUT;
        for index in 0..self.slots.len() {
            self.send(index)?;
        }
        while start.elapsed() < length {
            if let Some(index) = self.receive(&mut buffer)? {
                self.send(index)?;
            }
            if Instant::now() >= next_check {
                self.renew_lost()?;
                next_check = Instant::now() + READ_TIMEOUT;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let drain_until = Instant::now() + DRAIN;
        while Instant::now() < drain_until && self.slots.iter().any(|s| s.sent_at.is_some()) {
            self.receive(&mut buffer)?;
        }
        self.lost += self.slots.iter().filter(|s| s.sent_at.is_some()).count() as u64;
        Ok(seconds)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.socket.recv_from(buffer) {
            Ok((length, _)) => Ok(self.accept(&buffer[..length])),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::ConnectionRefused | ErrorKind::Interrupted
                ) =>
            {
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    fn percentile_us(&self, percent: usize) -> u32 {
        let index = self.latencies_us.len() * percent / 100;
        self.latencies_us
            .get(index.min(self.latencies_us.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0)
    }
}

fn parse_branch(reply: &[u8]) -> Option<(usize, u64)> {
    let at = reply.windows(BRANCH.len()).position(|w| w == BRANCH)? + BRANCH.len();
    let end = at + reply[at..].iter().position(|b| b";\r".contains(b))?;
    let (index, seq) = std::str::from_utf8(&reply[at..end]).ok()?.split_once('-')?;
    Some((index.parse().ok()?, seq.parse().ok()?))
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let parsed = (|| {
        let peer: SocketAddr = arguments.get(1)?.parse().ok()?;
        let seconds: f64 = arguments.get(2)?.parse().ok()?;
        let outstanding: usize = arguments.get(3).map_or(Some(64), |a| a.parse().ok())?;
        let users: u64 = arguments.get(4).map_or(Some(0), |a| a.parse().ok())?;
        let fields = match arguments.get(5) {
            Some(path) => fs::read_to_string(path).ok()?,
            None => String::new(),
        };
        let fields: Vec<String> = fields.lines().map(str::to_owned).collect();
        Some((peer, seconds, outstanding, users, fields))
    })();
    let Some((peer, seconds, outstanding, users, fields)) = parsed else {
        eprintln!("usage: udp_closed_loop HOST:PORT SECONDS [OUTSTANDING [USERS [FILE]]]");
        process::exit(2);
    };
    let result = Load::open(peer, outstanding, users, fields).and_then(|mut load| {
        let took = load.run(Duration::from_secs_f64(seconds))?;
        load.latencies_us.sort_unstable();
        println!(
            "{{\"sent\": {}, \"answered\": {}, \"lost\": {}, \"bad\": {}, \"seconds\": {took:.3}, \"rate\": {:.0}, \
             \"p50_us\": {}, \"p99_us\": {}, \"max_us\": {}}}",
            load.sent, load.answered, load.lost, load.bad, load.answered as f64 / took,
            load.percentile_us(50), load.percentile_us(99), load.percentile_us(100),
        );
        Ok(())
    });
    if let Err(error) = result {
        eprintln!("udp_closed_loop: {error}");
        process::exit(1);
    }
}
