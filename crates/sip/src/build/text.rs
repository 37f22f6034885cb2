//! Short texts on the stack: numbers, addresses, Via parameters.

use std::io::Write;
use std::net::IpAddr;

/// Longest text: `;received=` and an IPv6 address, or the digits of a `u64` and a name.
const ROOM: usize = 64;

/// Up to 64 bytes; more are cut off.
#[derive(Clone, Copy)]
pub(crate) struct Text {
    bytes: [u8; ROOM],
    len: usize,
}

impl Text {
    /// Begins with `bytes`.
    #[inline]
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut text = Self {
            bytes: [0; ROOM],
            len: 0,
        };
        text.push(bytes);
        text
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        let room = &mut self.bytes[self.len..];
        let len = bytes.len().min(room.len());
        room[..len].copy_from_slice(&bytes[..len]);
        self.len += len;
    }

    /// Adds a number in decimal digits.
    #[inline]
    pub(crate) fn number(mut self, number: u64) -> Self {
        self.push(decimal(number, &mut [0; 20]));
        self
    }

    /// Adds an address as SIP writes it after `received=`: without brackets.
    pub(crate) fn ip(mut self, ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => self.push_ipv4(ip.octets()),
            IpAddr::V6(ip) => {
                let mut room = &mut self.bytes[self.len..];
                let before = room.len();
                // Can only fail for want of room, of which there is enough.
                let _ = write!(room, "{ip}");
                self.len += before - room.len();
            }
        }
        self
    }

    fn push_ipv4(&mut self, octets: [u8; 4]) {
        let (mut text, mut len) = ([0; 16], 0);
        for octet in octets {
            let (digits, count) = OCTETS[usize::from(octet)];
            if let Some(room) = text.get_mut(len..len + 4) {
                room.copy_from_slice(&digits);
            }
            len += count;
        }
        self.push(&text[..len - 1]);
    }

    /// Adds bytes.
    #[inline]
    pub(crate) fn and(mut self, bytes: &[u8]) -> Self {
        self.push(bytes);
        self
    }
}

/// Each octet of an IPv4 address with a dot after it, and the length of both.
const OCTETS: [([u8; 4], usize); 256] = {
    let mut table = [([b'.'; 4], 0); 256];
    let mut n = 0;
    while n < table.len() {
        let (hundreds, tens, ones) = (n / 100, n / 10 % 10, n % 10);
        let mut digits = [hundreds, tens, ones];
        let len = if n > 99 {
            3
        } else if n > 9 {
            digits = [tens, ones, 0];
            2
        } else {
            digits = [ones, 0, 0];
            1
        };
        let mut at = 0;
        while at < len {
            table[n].0[at] = b'0' + digits[at] as u8;
            at += 1;
        }
        table[n].1 = len + 1;
        n += 1;
    }
    table
};

/// Appends a number in decimal digits.
#[inline]
pub(crate) fn push_decimal(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(decimal(number, &mut [0; 20]));
}

#[inline]
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::Text;

    #[test]
    fn numbers_and_addresses_are_written_as_the_library_does() {
        for n in [0, 7, 10, 99, 65_535, u64::MAX] {
            assert_eq!(
                Text::new(b"").number(n).as_bytes(),
                n.to_string().as_bytes()
            );
        }
        for ip in [
            "0.0.0.0",
            "192.0.2.101",
            "255.255.255.255",
            "::1",
            "2001:db8::7",
        ] {
            let parsed: IpAddr = ip.parse().unwrap();
            assert_eq!(Text::new(b"").ip(parsed).as_bytes(), ip.as_bytes());
        }
    }

    #[test]
    fn the_longest_parameter_fits() {
        let ip = "2001:db80:1234:5678:9abc:def0:1234:5678".parse().unwrap();
        let text = Text::new(b";received=").ip(ip);
        assert!(text.as_bytes().ends_with(b"1234:5678"));
        assert_eq!(Text::new(&[b'x'; 80]).as_bytes().len(), 64);
    }
}
