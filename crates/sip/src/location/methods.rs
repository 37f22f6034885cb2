//! Methods as the bits that location tables keep (Kamailio's `methods` column).

const NAMES: [&str; 19] = [
    "INVITE",
    "CANCEL",
    "ACK",
    "BYE",
    "INFO",
    "REGISTER",
    "SUBSCRIBE",
    "NOTIFY",
    "MESSAGE",
    "OPTIONS",
    "PRACK",
    "UPDATE",
    "REFER",
    "PUBLISH",
    "KDMQ",
    "GET",
    "POST",
    "PUT",
    "DELETE",
];
const OTHER: u32 = 1 << 19;

/// The bits of a list of methods such as `INVITE, ACK`; any other method counts as one more.
#[must_use]
pub fn methods_mask(list: &[u8]) -> u32 {
    list.split(|c| *c == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty())
        .fold(0, |mask, name| mask | bit(name))
}

fn bit(name: &[u8]) -> u32 {
    NAMES
        .iter()
        .position(|known| known.as_bytes() == name)
        .map_or(OTHER, |at| 1 << at)
}
