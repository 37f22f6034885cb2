//! The system calls that std does not offer. All `unsafe` of the engine is here
//! and, for addresses of datagrams, in `pktinfo`.

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};
use sipwright_sip::types::Millis;

use super::pktinfo::{self, Control, NO_CONTROL};

/// Readiness bits, as epoll names them.
pub const READABLE: u32 = libc::EPOLLIN.cast_unsigned();
/// There is room to write, or a connect has ended.
pub const WRITABLE: u32 = libc::EPOLLOUT.cast_unsigned();
/// Something is wrong with the descriptor; reported without being asked for.
pub const ERROR: u32 = libc::EPOLLERR.cast_unsigned();
/// Of the waiting threads only one is woken.
pub const EXCLUSIVE: u32 = libc::EPOLLEXCLUSIVE.cast_unsigned();

/// Each signal is reported once, without being taken (see [`EdgeFd`]).
pub const EDGE: u32 = libc::EPOLLET.cast_unsigned();

/// Monotonic time since the first call, the clock of the whole engine.
#[must_use]
pub fn monotonic_ms() -> Millis {
    // One is added so that no time is 0, which callers use for "never".
    monotonic_us() / 1000 + 1
}

/// The same in microseconds; may be 0.
#[must_use]
pub fn monotonic_us() -> u64 {
    static START: OnceLock<u64> = OnceLock::new();
    let now = clock_us();
    now.saturating_sub(*START.get_or_init(|| now))
}

/// Nanoseconds of the same clock, from another beginning: for the order of what happens.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = clock();
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// `Instant` keeps nanoseconds and divides 128-bit numbers to tell microseconds:
/// this is asked for a dozen times for each message.
fn clock_us() -> u64 {
    let now = clock();
    now.tv_sec.cast_unsigned() * 1_000_000 + now.tv_nsec.cast_unsigned() / 1_000
}

fn clock() -> libc::timespec {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a live timespec. It fails for unknown clocks only.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn own(result: c_int) -> io::Result<OwnedFd> {
    let fd = check(result)?;
    // SAFETY: the system call has just returned this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// One readiness event: its token and its bits.
pub type Event = (u64, u32);

/// An epoll instance, level-triggered, close-on-exec.
pub struct Epoll {
    fd: OwnedFd,
    buffer: Vec<libc::epoll_event>,
}

impl Epoll {
    /// A new instance that reports at most `capacity` events at a time.
    pub fn new(capacity: usize) -> io::Result<Self> {
        // SAFETY: no pointers.
        let fd = own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        Ok(Self {
            fd,
            buffer: vec![libc::epoll_event { events: 0, u64: 0 }; capacity],
        })
    }

    /// Watches a descriptor.
    pub fn add(&self, fd: &impl AsRawFd, token: u64, bits: u32) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, bits)
    }

    /// Changes what is watched for; not for those added with [`EXCLUSIVE`].
    pub fn modify(&self, fd: &impl AsRawFd, token: u64, bits: u32) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, bits)
    }

    /// Stops watching.
    pub fn delete(&self, fd: &impl AsRawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(&self, op: c_int, fd: &impl AsRawFd, token: u64, bits: u32) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: bits,
            u64: token,
        };
        // SAFETY: `event` lives through the call, both descriptors are open.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), op, fd.as_raw_fd(), &raw mut event) })?;
        Ok(())
    }

    /// Waits for events, at most `timeout_ms` (`None`: for ever), and puts them
    /// into `events`. A signal ends the wait without any.
    pub fn wait(&mut self, timeout_ms: Option<u64>, events: &mut Vec<Event>) -> io::Result<()> {
        let timeout = timeout_ms.map_or(-1, |ms| c_int::try_from(ms).unwrap_or(c_int::MAX));
        let room = c_int::try_from(self.buffer.len()).unwrap_or(c_int::MAX);
        events.clear();
        // SAFETY: the kernel writes at most `room` entries into the buffer.
        let result = check(unsafe {
            libc::epoll_wait(self.fd.as_raw_fd(), self.buffer.as_mut_ptr(), room, timeout)
        });
        match result {
            Ok(n) => {
                let n = usize::try_from(n).unwrap_or(0);
                events.extend(self.buffer[..n].iter().map(|e| (e.u64, e.events)));
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(e) => Err(e),
        }
    }
}

/// An eventfd: a wake-up that stays until it is taken.
pub struct EventFd(OwnedFd);

impl EventFd {
    /// Not signalled, non-blocking, close-on-exec.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        own(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }).map(Self)
    }
}

impl super::wake::Event for EventFd {
    /// Cannot block, and a full counter is as good as a signal.
    fn signal(&self) {
        let one = 1_u64;
        // SAFETY: eight bytes are read from a live u64.
        unsafe {
            libc::write(
                self.0.as_raw_fd(),
                (&raw const one).cast(),
                mem::size_of::<u64>(),
            )
        };
    }

    fn clear(&self) {
        let mut count = 0_u64;
        // SAFETY: eight bytes are written into a live u64.
        unsafe {
            libc::read(
                self.0.as_raw_fd(),
                (&raw mut count).cast(),
                mem::size_of::<u64>(),
            )
        };
    }
}

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// An eventfd whose epoll watches it with [`EDGE`]: every signal is reported once, and
/// nothing has to be read, which saves a system call for each wake-up. Its counter
/// would be full after some centuries.
pub struct EdgeFd(EventFd);

impl EdgeFd {
    /// As [`EventFd::new`].
    pub fn new() -> io::Result<Self> {
        EventFd::new().map(Self)
    }
}

impl super::wake::Event for EdgeFd {
    fn signal(&self) {
        self.0.signal();
    }

    fn clear(&self) {}
}

impl AsRawFd for EdgeFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// A timerfd that fires once and stays readable until it is taken.
pub struct TimerFd(OwnedFd);

impl TimerFd {
    /// Not set, non-blocking, close-on-exec.
    pub fn new() -> io::Result<Self> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: no pointers.
        own(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) }).map(Self)
    }
}

impl super::lead::Alarm for TimerFd {
    fn set(&self, after: Duration) {
        // SAFETY: all-zero is a valid itimerspec, it is plain numbers.
        let mut spec: libc::itimerspec = unsafe { mem::zeroed() };
        spec.it_value.tv_sec = after.as_secs() as libc::time_t;
        spec.it_value.tv_nsec = after.subsec_nanos().into();
        let fd = self.0.as_raw_fd();
        // SAFETY: `spec` is live; no old value is asked for.
        unsafe { libc::timerfd_settime(fd, 0, &raw const spec, ptr::null_mut()) };
    }
}

impl AsRawFd for TimerFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Sets a socket option that is a number.
pub(super) fn set_option(
    fd: &impl AsRawFd,
    level: c_int,
    name: c_int,
    value: c_int,
) -> io::Result<()> {
    let size = mem::size_of::<c_int>() as socklen_t;
    // SAFETY: the option value is a live c_int of the given size.
    check(unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), size)
    })?;
    Ok(())
}

/// The type of service of packets that leave (RFC 2474); 0 leaves it to the system.
pub fn set_tos(fd: &impl AsRawFd, addr: &SocketAddr, tos: u8) -> io::Result<()> {
    match addr {
        _ if tos == 0 => Ok(()),
        SocketAddr::V4(_) => set_option(fd, libc::IPPROTO_IP, libc::IP_TOS, tos.into()),
        SocketAddr::V6(_) => set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, tos.into()),
    }
}

const fn family(addr: &SocketAddr) -> c_int {
    match addr {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    }
}

fn socket(addr: &SocketAddr, kind: c_int) -> io::Result<OwnedFd> {
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    let fd = own(unsafe { libc::socket(family(addr), kind, 0) })?;
    if addr.is_ipv6() {
        // One socket, one family: "::" must not take what "0.0.0.0" is configured for.
        set_option(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    }
    Ok(fd)
}

fn bind(fd: &OwnedFd, addr: &SocketAddr) -> io::Result<()> {
    let (storage, len) = to_sockaddr(addr);
    // SAFETY: `storage` holds a socket address of `len` bytes.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const storage).cast(), len) })?;
    Ok(())
}

/// A bound, non-blocking UDP socket. Buffer sizes are wishes.
///
/// No `SO_REUSEADDR`: for UDP it would let two servers share a port unnoticed.
pub fn udp_socket(addr: &SocketAddr, receive: usize, send: usize) -> io::Result<OwnedFd> {
    let fd = socket(addr, libc::SOCK_DGRAM)?;
    let buffers = [
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, receive),
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, send),
    ];
    for (forced, polite, size) in buffers {
        let size = c_int::try_from(size).unwrap_or(c_int::MAX);
        // Root may exceed the system's bound; for others the kernel caps the wish.
        if set_option(&fd, libc::SOL_SOCKET, forced, size).is_err() {
            let _ = set_option(&fd, libc::SOL_SOCKET, polite, size);
        }
    }
    // What ICMP says of datagrams that were sent; see `super::icmp`.
    match addr {
        SocketAddr::V4(_) => set_option(&fd, libc::IPPROTO_IP, libc::IP_RECVERR, 1)?,
        SocketAddr::V6(_) => set_option(&fd, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1)?,
    }
    bind(&fd, addr)?;
    Ok(fd)
}

/// A bound, listening, non-blocking TCP socket.
pub fn tcp_listener(addr: &SocketAddr) -> io::Result<OwnedFd> {
    let fd = socket(addr, libc::SOCK_STREAM)?;
    // A restart must not wait for connections of the last run in TIME_WAIT.
    set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    bind(&fd, addr)?;
    // SAFETY: no pointers.
    check(unsafe { libc::listen(fd.as_raw_fd(), 4096) })?;
    Ok(fd)
}

/// Begins a TCP connection from an address, or from any; it is up, or has failed,
/// once the socket is writable.
pub fn tcp_connect(from: Option<IpAddr>, to: &SocketAddr, tos: u8) -> io::Result<TcpStream> {
    let fd = socket(to, libc::SOCK_STREAM)?;
    set_tos(&fd, to, tos)?;
    if let Some(ip) = from {
        // The port is chosen at connect, so that one port serves many remotes.
        set_option(&fd, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)?;
        bind(&fd, &SocketAddr::new(ip, 0))?;
    }
    let (storage, len) = to_sockaddr(to);
    // SAFETY: `storage` holds a socket address of `len` bytes.
    let result = check(unsafe { libc::connect(fd.as_raw_fd(), (&raw const storage).cast(), len) });
    match result {
        Err(e) if e.raw_os_error() != Some(libc::EINPROGRESS) => Err(e),
        _ => Ok(TcpStream::from(fd)),
    }
}

/// Notices a silently dead peer in minutes rather than never.
pub fn set_keepalive(stream: &TcpStream) -> io::Result<()> {
    let on: c_int = 1;
    let size = mem::size_of::<c_int>() as socklen_t;
    // SAFETY: the option value is a live c_int of the given size.
    check(unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_KEEPALIVE,
            (&raw const on).cast(),
            size,
        )
    })?;
    Ok(())
}

/// An address as the kernel reads it.
pub(super) fn to_sockaddr(addr: &SocketAddr) -> (libc::sockaddr_storage, socklen_t) {
    let mut storage = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let len = match addr {
        SocketAddr::V4(v4) => {
            let sin = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(v4.ip().octets()),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: sockaddr_storage is large enough and aligned for every address.
            unsafe { storage.as_mut_ptr().cast::<libc::sockaddr_in>().write(sin) };
            mem::size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            let sin6 = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: v6.ip().octets(),
                },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: as above.
            unsafe {
                storage
                    .as_mut_ptr()
                    .cast::<libc::sockaddr_in6>()
                    .write(sin6)
            };
            mem::size_of::<libc::sockaddr_in6>()
        }
    };
    // SAFETY: all bytes are initialised; zero is valid for those not written.
    (unsafe { storage.assume_init() }, len as socklen_t)
}

/// The IP address of a socket address of whatever family.
///
/// # Safety
/// `addr` points to a socket address that is as large as its family says.
pub(super) unsafe fn ip_of(addr: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: the family comes first in every socket address.
    match c_int::from(unsafe { (*addr).sa_family }) {
        libc::AF_INET => {
            // SAFETY: the family says that this is a sockaddr_in.
            let sin = unsafe { ptr::read_unaligned(addr.cast::<libc::sockaddr_in>()) };
            Some(Ipv4Addr::from(sin.sin_addr.s_addr.to_ne_bytes()).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that this is a sockaddr_in6.
            let sin6 = unsafe { ptr::read_unaligned(addr.cast::<libc::sockaddr_in6>()) };
            Some(Ipv6Addr::from(sin6.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

pub fn from_sockaddr(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that this is a sockaddr_in.
            let sin = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(sin.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddrV4::new(ip, u16::from_be(sin.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that this is a sockaddr_in6.
            let sin6 = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(sin6.sin6_addr.s6_addr);
            let port = u16::from_be(sin6.sin6_port);
            // The flow label is the sender's own affair and would split one peer into many.
            Some(SocketAddrV6::new(ip, port, 0, sin6.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// Largest UDP payload there is.
const DATAGRAM: usize = 65_536;

/// Buffers for reading many datagrams with one system call.
///
/// Memory that no datagram ever reached is not touched, so 32 buffers of 64 KiB
/// cost what arrives, not 2 MiB.
pub struct RecvBatch {
    bytes: Vec<u8>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: the raw pointers inside point into the Vecs of the same value, which are
// never resized; nothing is shared.
unsafe impl Send for RecvBatch {}

impl RecvBatch {
    /// Room for `count` datagrams.
    pub fn new(count: usize) -> Self {
        let count = count.clamp(1, 1024);
        let mut bytes = vec![0_u8; count * DATAGRAM];
        // SAFETY: all-zero is a valid sockaddr_storage.
        let mut names = vec![unsafe { mem::zeroed::<libc::sockaddr_storage>() }; count];
        let mut controls = vec![NO_CONTROL; count];
        let mut vectors: Vec<_> = bytes
            .chunks_exact_mut(DATAGRAM)
            .map(|b| libc::iovec {
                iov_base: b.as_mut_ptr().cast::<c_void>(),
                iov_len: DATAGRAM,
            })
            .collect();
        let headers = names
            .iter_mut()
            .zip(&mut vectors)
            .zip(&mut controls)
            .map(|((name, vector), control)| {
                // SAFETY: all-zero is a valid mmsghdr (null pointers, zero lengths).
                let mut header = unsafe { mem::zeroed::<libc::mmsghdr>() };
                header.msg_hdr.msg_name = ptr::from_mut(name).cast();
                header.msg_hdr.msg_iov = ptr::from_mut(vector);
                header.msg_hdr.msg_iovlen = 1;
                header.msg_hdr.msg_control = ptr::from_mut(control).cast();
                header
            })
            .collect();
        Self {
            bytes,
            names,
            controls,
            vectors,
            headers,
        }
    }

    /// Reads what is there without waiting; the number of datagrams. `with_destination`
    /// for sockets that tell it (see `pktinfo`).
    pub fn receive(&mut self, fd: &impl AsRawFd, with_destination: bool) -> io::Result<usize> {
        let control_len = if with_destination {
            mem::size_of::<Control>()
        } else {
            0
        };
        let name_len = mem::size_of::<libc::sockaddr_storage>() as socklen_t;
        for header in &mut self.headers {
            header.msg_hdr.msg_namelen = name_len;
            header.msg_hdr.msg_controllen = control_len as _;
        }
        let room = libc::c_uint::try_from(self.vectors.len()).unwrap_or(1);
        // SAFETY: every header points to one name, buffer and control that live in `self`
        // and were sized at construction.
        let n = check(unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                self.headers.as_mut_ptr(),
                room,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        })?;
        Ok(usize::try_from(n).unwrap_or(0))
    }

    /// The address that datagram `index` of the last read was sent to, if it was told.
    pub fn destination(&self, index: usize) -> Option<IpAddr> {
        debug_assert_eq!(self.controls.len(), self.headers.len());
        pktinfo::destination(&self.headers.get(index)?.msg_hdr)
    }

    /// Datagram `index` of the last read, with its source.
    pub fn get(&self, index: usize) -> Option<(&[u8], SocketAddr)> {
        let len = self.headers.get(index)?.msg_len as usize;
        let start = index * DATAGRAM;
        let from = from_sockaddr(self.names.get(index)?)?;
        Some((self.bytes.get(start..start + len)?, from))
    }
}

/// Counts the forks that lie between this process and the one that loaded the engine.
static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn after_fork_in_child() {
    FORKS.fetch_add(1, Ordering::SeqCst);
}

/// Which process this is: it differs in a forked child. What was opened under
/// another number belongs to the parent and must not be touched.
#[must_use]
pub fn process_generation() -> u32 {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // SAFETY: the handler only touches an atomic, which is async-signal-safe.
        unsafe { libc::pthread_atfork(None, None, Some(after_fork_in_child)) };
    });
    FORKS.load(Ordering::SeqCst)
}

/// Writes to standard error without the lock that std has around it, which a thread
/// that does not exist after a fork may hold. What does not fit is lost.
pub fn write_stderr(bytes: &[u8]) {
    // SAFETY: so many bytes are read from a live slice.
    unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
}

/// Kernel id and pthread id of the calling thread.
#[must_use]
pub fn thread_ids() -> (i32, u64) {
    // SAFETY: both calls take nothing and cannot fail.
    unsafe { (libc::gettid(), libc::pthread_self()) }
}

/// Leaves all signals to threads that want them: Python's run in the main thread.
pub fn block_signals() {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises the set before it is used.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
    }
}

/// Milliseconds for epoll, rounded up so that a wait never ends just too early.
#[must_use]
pub fn ceil_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_addresses_survive_the_round_trip() {
        for text in ["192.0.2.1:5060", "[2001:db8::7]:5061", "0.0.0.0:0"] {
            let addr: SocketAddr = text.parse().unwrap();
            assert_eq!(from_sockaddr(&to_sockaddr(&addr).0), Some(addr));
        }
    }

    #[test]
    fn a_wait_never_ends_early() {
        assert_eq!(ceil_ms(Duration::from_micros(1)), 1);
        assert_eq!(ceil_ms(Duration::from_millis(7)), 7);
    }
}
