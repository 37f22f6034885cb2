//! Time: `$Ts`, `$Tf`, `$time(..)`, `$timef(..)`.

use super::super::context::{Context, Value};
use super::names::Class;
use super::read::int;

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment of the calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Civil {
    year: i64,
    /// 1 to 12
    month: usize,
    /// 1 to 31
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    /// 0 is Sunday
    weekday: usize,
    /// 1 to 366
    yearday: i64,
    /// seconds east of UTC
    offset: i64,
    epoch: i64,
}

impl Civil {
    /// The date of a number of seconds since 1970, by the proleptic Gregorian calendar.
    fn of(epoch: i64, offset: i64) -> Self {
        let local = epoch + offset;
        let (days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        // years that begin in March, so that the leap day is the last one
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = (shifted_month + 2) % 12 + 1;
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let month = usize::try_from(month).unwrap_or(1);
        Self {
            year,
            month,
            day,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
            weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
            yearday: before[month - 1] + day + i64::from(leap && month > 2),
            offset,
            epoch,
        }
    }

    fn now(ctx: &Context, class: Class) -> Self {
        let offset = match class {
            Class::UtcPart | Class::UtcFormat => 0,
            _ => i64::from(ctx.env.utc_offset),
        };
        Self::of(i64::try_from(ctx.now / 1_000_000).unwrap_or(0), offset)
    }
}

/// `Sun Nov 22 12:41:57 2026`, as C's `ctime`.
pub(super) fn ctime(ctx: &Context) -> Value<'static> {
    let now = Civil::now(ctx, Class::TimePart);
    Value::owned(format_civil(&now, b"%a %b %e %H:%M:%S %Y"))
}

/// `$time(hour)`, `$utime(hour)`, `$TV(sn)`.
pub(super) fn part(ctx: &Context, class: Class, what: &[u8]) -> Value<'static> {
    if class == Class::TimeValue {
        return time_value(ctx, what);
    }
    let t = Civil::now(ctx, class);
    match what {
        b"sec" => int(t.second),
        b"min" => int(t.minute),
        b"hour" => int(t.hour),
        b"mday" => int(t.day),
        b"mon" => int(t.month),
        b"year" => int(t.year),
        b"wday" => int(t.weekday + 1),
        b"yday" => int(t.yearday),
        b"isdst" => int(0),
        _ => Value::Null,
    }
}

fn time_value(ctx: &Context, what: &[u8]) -> Value<'static> {
    let (seconds, micros) = (ctx.now / 1_000_000, ctx.now % 1_000_000);
    match what {
        b"s" | b"sn" => int(seconds),
        b"u" | b"un" => int(micros),
        b"Sn" => Value::owned(format!("{seconds}.{micros:06}").into_bytes()),
        _ => Value::Null,
    }
}

/// `$timef(%Y-%m-%d)` and `$utimef(..)`.
pub(super) fn format(ctx: &Context, class: Class, format: &[u8]) -> Value<'static> {
    Value::owned(format_civil(&Civil::now(ctx, class), format))
}

/// Seconds since 1970 by a format of C's `strftime`, in the C locale.
#[must_use]
pub fn strftime(epoch: i64, utc_offset: i32, format: &[u8]) -> Vec<u8> {
    format_civil(&Civil::of(epoch, i64::from(utc_offset)), format)
}

fn format_civil(t: &Civil, format: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(format.len() * 2);
    let mut bytes = format.iter();
    while let Some(c) = bytes.next() {
        match (*c, bytes.as_slice().first()) {
            (b'%', Some(directive)) => {
                bytes.next();
                conversion(t, *directive, &mut out);
            }
            _ => out.push(*c),
        }
    }
    out
}

fn conversion(t: &Civil, directive: u8, out: &mut Vec<u8>) {
    let hour12 = (t.hour + 11) % 12 + 1;
    let text = match directive {
        b'Y' => t.year.to_string(),
        b'y' => format!("{:02}", t.year.rem_euclid(100)),
        b'C' => format!("{:02}", t.year / 100),
        b'm' => format!("{:02}", t.month),
        b'd' => format!("{:02}", t.day),
        b'e' => format!("{:2}", t.day),
        b'H' => format!("{:02}", t.hour),
        b'I' => format!("{hour12:02}"),
        b'M' => format!("{:02}", t.minute),
        b'S' => format!("{:02}", t.second),
        b'p' => (if t.hour < 12 { "AM" } else { "PM" }).to_owned(),
        b'j' => format!("{:03}", t.yearday),
        b'a' => DAYS[t.weekday][..3].to_owned(),
        b'A' => DAYS[t.weekday].to_owned(),
        b'b' | b'h' => MONTHS[t.month - 1][..3].to_owned(),
        b'B' => MONTHS[t.month - 1].to_owned(),
        b'u' => (if t.weekday == 0 { 7 } else { t.weekday }).to_string(),
        b'w' => t.weekday.to_string(),
        b's' => t.epoch.to_string(),
        b'z' => format!(
            "{}{:02}{:02}",
            if t.offset < 0 { '-' } else { '+' },
            t.offset.abs() / 3600,
            t.offset.abs() / 60 % 60
        ),
        b'Z' => (if t.offset == 0 { "UTC" } else { "" }).to_owned(),
        b'n' => "\n".to_owned(),
        b't' => "\t".to_owned(),
        b'%' => "%".to_owned(),
        b'F' => return out.extend(format_civil(t, b"%Y-%m-%d")),
        b'T' => return out.extend(format_civil(t, b"%H:%M:%S")),
        b'D' | b'x' => return out.extend(format_civil(t, b"%m/%d/%y")),
        b'R' => return out.extend(format_civil(t, b"%H:%M")),
        b'X' => return out.extend(format_civil(t, b"%H:%M:%S")),
        b'c' => return out.extend(format_civil(t, b"%a %b %e %H:%M:%S %Y")),
        other => format!("%{}", char::from(other)),
    };
    out.extend_from_slice(text.as_bytes());
}
