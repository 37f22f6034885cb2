//! Sockets that are bound to the wildcard address: which of this machine's addresses a
//! datagram came to, and sending from it (`IP_PKTINFO`, `IPV6_RECVPKTINFO`; RFC 3542).

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::ptr;

use libc::{c_int, c_void};

use super::sys;

/// Room for one control message with an address, aligned as its header wants it.
pub type Control = [u64; 8];

/// An empty one.
pub const NO_CONTROL: Control = [0; 8];

/// Has the kernel tell the destination of each datagram.
pub fn enable(fd: &impl AsRawFd, v6: bool) -> io::Result<()> {
    if v6 {
        sys::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
    } else {
        sys::set_option(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
    }
}

/// The address that a received datagram was sent to.
pub fn destination(header: &libc::msghdr) -> Option<IpAddr> {
    // SAFETY: the header's control buffer and its length are as the kernel left them.
    let mut at = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !at.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give complete headers inside the buffer.
        let (level, kind) = unsafe { ((*at).cmsg_level, (*at).cmsg_type) };
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // SAFETY: the kernel writes the whole structure that level and type name;
                // it may be unaligned, hence the copy.
                let info: libc::in_pktinfo =
                    unsafe { ptr::read_unaligned(libc::CMSG_DATA(at).cast()) };
                return Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: as above.
                let info: libc::in6_pktinfo =
                    unsafe { ptr::read_unaligned(libc::CMSG_DATA(at).cast()) };
                return Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
            }
            _ => {}
        }
        // SAFETY: as for CMSG_FIRSTHDR.
        at = unsafe { libc::CMSG_NXTHDR(header, at) };
    }
    None
}

/// Sends a datagram from one of this machine's addresses.
pub fn send_from(
    fd: &impl AsRawFd,
    bytes: &[u8],
    to: SocketAddr,
    from: IpAddr,
) -> io::Result<usize> {
    let (mut name, name_len) = sys::to_sockaddr(&to);
    let mut vector = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast::<c_void>(),
        iov_len: bytes.len(),
    };
    let mut control = NO_CONTROL;
    // SAFETY: all-zero is a valid msghdr (null pointers, zero lengths).
    let mut header = unsafe { mem::zeroed::<libc::msghdr>() };
    header.msg_name = (&raw mut name).cast();
    header.msg_namelen = name_len;
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut control).cast();
    match from {
        IpAddr::V4(ip) => {
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: u32::from_ne_bytes(ip.octets()),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            put(&mut header, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
        }
        IpAddr::V6(ip) => {
            let info = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: ip.octets(),
                },
                ipi6_ifindex: 0,
            };
            put(&mut header, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
        }
    }
    // SAFETY: every pointer of the header is to a live local of the given length; the
    // kernel only reads the bytes.
    let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const header, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Writes the only control message of a header whose buffer is a zeroed [`Control`].
fn put<T>(header: &mut libc::msghdr, level: c_int, kind: c_int, value: T) {
    let size = mem::size_of::<T>() as libc::c_uint;
    // SAFETY: the macros only calculate.
    let (space, len) = unsafe { (libc::CMSG_SPACE(size), libc::CMSG_LEN(size)) };
    debug_assert!(space as usize <= mem::size_of::<Control>());
    header.msg_controllen = space as _;
    // SAFETY: the buffer has room for one header and `T`, as asserted; `T` is copied
    // without regard to its alignment.
    unsafe {
        let at = libc::CMSG_FIRSTHDR(header);
        (*at).cmsg_level = level;
        (*at).cmsg_type = kind;
        (*at).cmsg_len = len as _;
        ptr::write_unaligned(libc::CMSG_DATA(at).cast::<T>(), value);
    }
}

/// The addresses of this machine's interfaces that are up, those of loopback last.
/// Link-local IPv6 addresses are left out: they mean nothing without their interface.
pub fn local_addresses() -> io::Result<Vec<IpAddr>> {
    let mut list = ptr::null_mut();
    // SAFETY: getifaddrs fills the pointer in or fails.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut at = list;
    while !at.is_null() {
        // SAFETY: the list is intact until freeifaddrs below.
        let entry = unsafe { &*at };
        at = entry.ifa_next;
        let is_up = entry.ifa_flags & libc::IFF_UP as libc::c_uint != 0;
        if !is_up || entry.ifa_addr.is_null() {
            continue;
        }
        // SAFETY: ifa_addr points to an address of the family that it names.
        if let Some(ip) = unsafe { sys::ip_of(entry.ifa_addr) } {
            found.push(ip);
        }
    }
    // SAFETY: `list` came from getifaddrs and is freed once.
    unsafe { libc::freeifaddrs(list) };
    found.retain(|ip| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()));
    found.sort_by_key(IpAddr::is_loopback);
    found.dedup();
    Ok(found)
}

/// The address that this machine would send from to a target, as its routing table says
/// (nothing is sent). `None` when there is no route.
#[must_use]
pub fn source_for(to: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let probe = std::net::UdpSocket::bind((any, 0)).ok()?;
    // Port 0 cannot be connected to.
    let port = to.port().max(1);
    probe.connect(SocketAddr::new(to.ip(), port)).ok()?;
    Some(probe.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn a_datagram_tells_where_it_was_sent_and_is_answered_from_there() {
        for (any, here) in [("0.0.0.0:0", "127.0.0.77"), ("[::]:0", "::1")] {
            let Ok(server) = UdpSocket::bind(any) else {
                continue;
            };
            let here: IpAddr = here.parse().unwrap();
            enable(&server, here.is_ipv6()).unwrap();
            let client = UdpSocket::bind((here, 0)).unwrap();
            let to = SocketAddr::new(here, server.local_addr().unwrap().port());
            client.send_to(b"ping", to).unwrap();
            server.set_nonblocking(false).unwrap();
            let mut batch = sys::RecvBatch::new(4);
            let poll = std::time::Instant::now();
            while batch.receive(&server, true).is_err() {
                assert!(poll.elapsed().as_secs() < 5);
            }
            let (bytes, from) = batch.get(0).unwrap();
            assert_eq!((bytes, batch.destination(0)), (&b"ping"[..], Some(here)));
            send_from(&server, b"pong", from, here).unwrap();
            let mut buf = [0; 16];
            let (n, source) = client.recv_from(&mut buf).unwrap();
            assert_eq!((&buf[..n], source), (&b"pong"[..], to));
        }
    }

    #[test]
    fn loopback_is_reached_from_loopback() {
        let here = source_for("127.0.0.9:5060".parse().unwrap()).unwrap();
        assert!(here.is_loopback());
        assert!(
            local_addresses()
                .unwrap()
                .contains(&IpAddr::from([127, 0, 0, 1]))
        );
    }
}
