//! Pseudo-variables of time.

mod script_support;

use script_support::*;

// checked against Kamailio 5.6
#[test]
fn of_time() {
    check(
        &ctx(INVITE),
        &[
            ("$Ts", "1795352011"),
            ("$TS", "1795352011"),
            ("$Tb", "1795351315"),
            ("$Tf", "'Sun Nov 22 12:53:31 2026'"),
            ("$TV(s)", "1795352011"),
            ("$TV(u)", "574127"),
            ("$TV(Sn)", "'1795352011.574127'"),
            ("$time(year)", "2026"),
            ("$time(mon)", "11"),
            ("$time(mday)", "22"),
            ("$time(wday)", "1"),
            ("$time(yday)", "326"),
            ("$time(hour)", "12"),
            ("$time(min)", "53"),
            ("$time(sec)", "31"),
            ("$time(isdst)", "0"),
            ("$utime(hour)", "12"),
            (
                "$timef(%Y-%m-%d %H:%M:%S %a %b %j)",
                "'2026-11-22 12:53:31 Sun Nov 326'",
            ),
            ("$utimef(%s)", "'1795352011'"),
            ("$(Ts{s.ftime,%Y})", "'2026'"),
        ],
    );
}

#[test]
fn of_time_in_a_time_zone_and_at_the_ends_of_years() {
    let mut settings = env();
    settings.utc_offset = 2 * 3600;
    let mut ctx = ctx_in(settings, INVITE);
    check(
        &ctx,
        &[
            ("$time(hour)", "14"),
            ("$utime(hour)", "12"),
            ("$timef(%z)", "'+0200'"),
        ],
    );
    // seconds since 1970, as `date -u -d @N +'%F %T %j %u'` prints them
    for (epoch, text) in [
        (0_u64, "'1970-01-01 00:00:00 001 4'"),
        (951_782_400, "'2000-02-29 00:00:00 060 2'"),
        (978_307_199, "'2000-12-31 23:59:59 366 7'"),
        (1_709_251_199, "'2024-02-29 23:59:59 060 4'"),
        (4_107_542_400, "'2100-03-01 00:00:00 060 1'"),
    ] {
        ctx.now = epoch * 1_000_000;
        assert_eq!(get(&ctx, "$utimef(%F %T %j %u)"), text);
    }
}
