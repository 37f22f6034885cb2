//! What ICMP says of datagrams that were sent: the error queue of a UDP socket (ip(7),
//! `IP_RECVERR`).

use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::ptr;

use libc::{c_int, socklen_t};

use super::sys::from_sockaddr;

/// Takes the next error of a UDP socket: where the datagram
/// was sent to, and as much of it as the error quotes, in `buffer`. `None` when there is no
/// further one. Errors that are not about reaching the place come as an empty quotation.
pub fn next_udp_error(fd: &impl AsRawFd, buffer: &mut [u8]) -> Option<(Option<SocketAddr>, usize)> {
    // SAFETY: all-zero is a valid sockaddr_storage.
    let mut name = unsafe { mem::zeroed::<libc::sockaddr_storage>() };
    let mut control = [0_u64; 64];
    let mut vector = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: all-zero is a valid msghdr (null pointers, zero lengths).
    let mut header = unsafe { mem::zeroed::<libc::msghdr>() };
    header.msg_name = ptr::from_mut(&mut name).cast();
    header.msg_namelen = mem::size_of_val(&name) as socklen_t;
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = mem::size_of_val(&control) as _;
    let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
    // SAFETY: name, buffer and control live through the call and have the lengths given.
    let len = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, flags) };
    let len = usize::try_from(len).ok()?;
    if is_unreachable(&header) {
        Some((from_sockaddr(&name), len))
    } else {
        Some((None, 0))
    }
}

/// Whether the error that came says that a place cannot be reached.
fn is_unreachable(header: &libc::msghdr) -> bool {
    // SAFETY: recvmsg has filled the header, whose control buffer is alive.
    let mut at = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !at.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR point into the control buffer, or are null.
        let (level, kind) = unsafe { ((*at).cmsg_level, (*at).cmsg_type) };
        if matches!(
            (level, kind),
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
        ) {
            // SAFETY: the data of such a message begins with a sock_extended_err; the
            // control buffer may hold it unaligned.
            let error = unsafe {
                libc::CMSG_DATA(at)
                    .cast::<libc::sock_extended_err>()
                    .read_unaligned()
            };
            let icmp = matches!(
                error.ee_origin,
                libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6
            );
            let errno = c_int::try_from(error.ee_errno).unwrap_or(0);
            return icmp && is_unreachable_code(errno);
        }
        // SAFETY: as above.
        at = unsafe { libc::CMSG_NXTHDR(header, at) };
    }
    false
}

/// Whether an error number says that a place cannot be reached.
#[must_use]
pub const fn is_unreachable_code(errno: c_int) -> bool {
    matches!(
        errno,
        libc::ECONNREFUSED
            | libc::EHOSTUNREACH
            | libc::ENETUNREACH
            | libc::EACCES
            | libc::EHOSTDOWN
            | libc::ENOPROTOOPT
            | libc::ENONET
    )
}
