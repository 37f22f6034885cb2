//! Open-loop SIP calls over UDP through a proxy: begins them at a rate whatever becomes of them, is caller and callee, and
//! prints one line for each call.
//!
//! Build: `rustc --edition 2024 -O open_calls.rs`. Run: `open_calls HOST:PORT RATE SECONDS`.
//! A line is `BEGAN_US STATUS SETUP_US ENDED RETRY_AFTER SENT`: when the INVITE was due, from the start; its final status, 0
//! for none; from its sending to the final response; 1 if the call was ended by a BYE that was answered; 1 if
//! the response had Retry-After; how often the INVITE was sent. Requests are sent again as RFC 3261 section 17.1 wants it.

use std::io::{self, BufWriter, Write};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{env, process, thread};

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// A request that has no answer after this long never gets one.
const GIVE_UP: Duration = Duration::from_secs(10);
/// Between two looks for what is to be sent again, and how long a read waits.
const LOOK: Duration = Duration::from_millis(50);
const LARGEST: usize = 65_536;

/// A request that waits for its answer.
struct Waiting {
    bytes: String,
    first: Instant,
    again: Instant,
    interval: Duration,
}

impl Waiting {
    fn sent(bytes: String) -> Self {
        let first = Instant::now();
        Self {
            bytes,
            first,
            again: first + T1,
            interval: T1,
        }
    }
}

struct Call {
    due: Instant,
    first_sent: Instant,
    status: u16,
    setup: Duration,
    ended: bool,
    has_retry_after: bool,
    sent: u32,
    waiting: Option<Waiting>,
}

struct Load {
    proxy: SocketAddr,
    caller: UdpSocket,
    callee: UdpSocket,
    calls: Mutex<Vec<Call>>,
    over: AtomicBool,
}

impl Load {
    fn open(proxy: SocketAddr) -> io::Result<Self> {
        let socket = || {
            let socket = UdpSocket::bind((proxy.ip(), 0))?;
            socket.set_read_timeout(Some(LOOK))?;
            Ok::<_, io::Error>(socket)
        };
        Ok(Self {
            proxy,
            caller: socket()?,
            callee: socket()?,
            calls: Mutex::new(Vec::new()),
            over: AtomicBool::new(false),
        })
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, rate: f64, seconds: f64) -> io::Result<Instant> {
        let start = Instant::now();
        thread::scope(|scope| {
            let readers = [
                scope.spawn(|| self.read(&self.caller, Self::on_response)),
                scope.spawn(|| self.read(&self.callee, Self::on_request)),
            ];
            let result = self.offer(start, rate, seconds);
            self.over.store(true, Ordering::Relaxed);
            for reader in readers {
                reader
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a reader panicked")))?;
            }
            result
        })?;
        Ok(start)
    }

    /// Begins the calls when they are due, then waits until each is over.
    fn offer(&self, start: Instant, rate: f64, seconds: f64) -> io::Result<()> {
        let mut next_look = start + LOOK;
        let mut begun = 0_u32;
        while f64::from(begun) < rate * seconds {
            let due = start + Duration::from_secs_f64(f64::from(begun) / rate);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.begin(due)?;
            begun += 1;
            if Instant::now() >= next_look {
                self.send_again()?;
                next_look = Instant::now() + LOOK;
            }
        }
        while self.send_again()? > 0 {
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn begin(&self, due: Instant) -> io::Result<()> {
        let mut calls = self.calls();
        let invite = self.invite(calls.len())?;
        let first_sent = Instant::now();
        self.caller.send_to(invite.as_bytes(), self.proxy)?;
        calls.push(Call {
            due,
            first_sent,
            status: 0,
            setup: Duration::ZERO,
            ended: false,
            has_retry_after: false,
            sent: 1,
            waiting: Some(Waiting::sent(invite)),
        });
        Ok(())
    }

    fn invite(&self, number: usize) -> io::Result<String> {
        let (caller, callee) = (self.caller.local_addr()?, self.callee.local_addr()?);
        Ok(format!(
            "INVITE sip:callee@{callee} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {caller};branch=z9hG4bKi{number}\r\n\
             From: <sip:caller@{caller}>;tag=caller{number}\r\n\
             To: <sip:callee@{callee}>\r\n\
             Call-ID: {number}-{caller}\r\n\
             CSeq: 1 INVITE\r\n\
             Contact: <sip:caller@{caller}>\r\n\
             Max-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n"
        ))
    }

    /// Sends again what is due; how many requests wait for an answer.
    fn send_again(&self) -> io::Result<usize> {
        let now = Instant::now();
        let mut count = 0;
        for call in self.calls().iter_mut() {
            let is_invite = call.status == 0;
            let Some(waiting) = call.waiting.as_mut() else {
                continue;
            };
            if now - waiting.first > GIVE_UP {
                call.waiting = None;
                continue;
            }
            count += 1;
            if now >= waiting.again {
                self.caller.send_to(waiting.bytes.as_bytes(), self.proxy)?;
                let doubled = waiting.interval * 2;
                waiting.interval = if is_invite { doubled } else { doubled.min(T2) };
                waiting.again = now + waiting.interval;
                call.sent += u32::from(is_invite);
            }
        }
        Ok(count)
    }

    fn read(
        &self,
        socket: &UdpSocket,
        act: impl Fn(&Self, &str, SocketAddr) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut buffer = vec![0_u8; LARGEST];
        while !self.over.load(Ordering::Relaxed) {
            match socket.recv_from(&mut buffer) {
                Ok((length, from)) => match std::str::from_utf8(&buffer[..length]) {
                    Ok(text) => act(self, text, from)?,
                    Err(error) => return Err(io::Error::other(error)),
                },
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// The callee accepts everything.
    fn on_request(&self, request: &str, from: SocketAddr) -> io::Result<()> {
        if request.starts_with("ACK ") {
            return Ok(());
        }
        let mut answer = "SIP/2.0 200 OK\r\n".to_owned();
        for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
            for value in fields(request, name) {
                let tag = if name == "To" && !value.contains(";tag=") {
                    ";tag=callee"
                } else {
                    ""
                };
                answer += &format!("{name}: {value}{tag}\r\n");
            }
        }
        let contact = self.callee.local_addr()?;
        answer += &format!("Contact: <sip:callee@{contact}>\r\nContent-Length: 0\r\n\r\n");
        self.callee.send_to(answer.as_bytes(), from)?;
        Ok(())
    }

    fn on_response(&self, response: &str, _from: SocketAddr) -> io::Result<()> {
        let at = Instant::now();
        let Some((number, status)) = identify(response) else {
            return Err(io::Error::other(format!("not expected: {response}")));
        };
        let of_invite = field(response, "CSeq").ends_with("INVITE");
        let mut calls = self.calls();
        let Some(call) = calls.get_mut(number) else {
            return Err(io::Error::other(format!("not expected: {response}")));
        };
        if status < 200 {
            // A provisional response ends the retransmissions of an INVITE.
            if let Some(waiting) = call.waiting.as_mut().filter(|_| of_invite) {
                waiting.again = waiting.first + 2 * GIVE_UP;
            }
            return Ok(());
        }
        if !of_invite {
            call.ended = status == 200;
            call.waiting = None;
            return Ok(());
        }
        let is_first = call.status == 0;
        if is_first {
            (call.status, call.setup) = (status, at - call.first_sent);
            call.has_retry_after = !field(response, "Retry-After").is_empty();
            call.waiting = None;
        }
        self.caller
            .send_to(self.ack(number, status, response)?.as_bytes(), self.proxy)?;
        if is_first && status < 300 {
            let bye = self.within("BYE", 2, number, response)?;
            self.caller.send_to(bye.as_bytes(), self.proxy)?;
            call.waiting = Some(Waiting::sent(bye));
        }
        Ok(())
    }

    /// To a 2xx a request of its own, to anything else part of the INVITE's transaction (RFC 3261 sections 13.2.2.4, 17.1.1.3).
    fn ack(&self, number: usize, status: u16, response: &str) -> io::Result<String> {
        if status < 300 {
            return self.within("ACK", 1, number, response);
        }
        let (caller, callee) = (self.caller.local_addr()?, self.callee.local_addr()?);
        Ok(format!(
            "ACK sip:callee@{callee} SIP/2.0\r\nVia: SIP/2.0/UDP {caller};branch=z9hG4bKi{number}\r\n{}",
            rest(response, "ACK", 1)
        ))
    }

    /// A request of the dialog that this response made.
    fn within(&self, method: &str, cseq: u32, number: usize, response: &str) -> io::Result<String> {
        let caller = self.caller.local_addr()?;
        let target = field(response, "Contact").trim_matches(['<', '>']);
        let mut routes: Vec<_> = fields(response, "Record-Route").collect();
        routes.reverse();
        let routes: String = routes.iter().map(|r| format!("Route: {r}\r\n")).collect();
        Ok(format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {caller};branch=z9hG4bK{method}{number}\r\n{routes}{}",
            rest(response, method, cseq)
        ))
    }
}

/// The lines that every request has in common with the response it follows.
fn rest(response: &str, method: &str, cseq: u32) -> String {
    let (from, to, id) = (
        field(response, "From"),
        field(response, "To"),
        field(response, "Call-ID"),
    );
    format!(
        "From: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

fn fields<'a>(message: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    message.lines().filter_map(move |line| {
        let (found, value) = line.split_once(':')?;
        (found == name).then(|| value.trim())
    })
}

fn field<'a>(message: &'a str, name: &'a str) -> &'a str {
    fields(message, name).next().unwrap_or("")
}

/// Number of the call, and status.
fn identify(response: &str) -> Option<(usize, u16)> {
    let status = response.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
    let number = field(response, "Call-ID").split_once('-')?.0.parse().ok()?;
    Some((number, status))
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let parsed = (|| {
        let proxy: SocketAddr = arguments.get(1)?.parse().ok()?;
        let rate: f64 = arguments.get(2)?.parse().ok()?;
        let seconds: f64 = arguments.get(3)?.parse().ok()?;
        Some((proxy, rate, seconds))
    })();
    let Some((proxy, rate, seconds)) = parsed else {
        eprintln!("usage: open_calls HOST:PORT RATE SECONDS");
        process::exit(2);
    };
    let result = Load::open(proxy).and_then(|load| {
        let start = load.run(rate, seconds)?;
        let mut out = BufWriter::new(io::stdout().lock());
        for call in load.calls().iter() {
            let (began, setup) = ((call.due - start).as_micros(), call.setup.as_micros());
            let (ended, retry) = (u8::from(call.ended), u8::from(call.has_retry_after));
            writeln!(
                out,
                "{began} {} {setup} {ended} {retry} {}",
                call.status, call.sent
            )?;
        }
        out.flush()
    });
    if let Err(error) = result {
        eprintln!("open_calls: {error}");
        process::exit(1);
    }
}
