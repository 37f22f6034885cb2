//! Pseudo-variables and transformations: of any message, and of any text.

use bytes::Bytes;
use sipwright_sip::Message;
use sipwright_sip::script::pv::{self, Format, Spec};
use sipwright_sip::script::{Context, Substitution, Value, nathelper, rr, siputils, textops};

use crate::sample::{context, invite};

/// Variables that read what the sender wrote.
const NAMES: &str = "$ru $rU $rd $rp $rP $rz $du $dd $dp $dP $fu $fU $fd $fn $ft $fti $tu $tU $td $tn $tt $ci $cs \
    $csb $cl $cT $mb $ml $mf $si $sp $rb $rs $rr $rm $rv $ua $ct $ctu $hu $hl $hfl $pr $proto $re $rt $rtu $route \
    $ai $pU $pd $pn $pu $aU $ad $ar $adu $aa $an $ap $di $dip $dir $dic $Ts $via0 $via1 $bs $ra $conid \
    $hdr(Via) $hdr(Contact) $(hdr(Via)[-1]) $(hdr(Route)[1]) $hdrc(Via) $hdrn(1) $sel(via[0].branch) \
    $sel(contact.uri.host) $sel(@from.tag) $(ru{uri.host}) $(fu{uri.params}) $(tu{uri.duri}) $(ct{nameaddr.uri}) \
    $(hdr(From){tobody.uri}) $(hdr(To){tobody.params}) $(rb{line.at,1}) $(rb{sdp.line,m,0}) $(mb{s.md5}) \
    $(ua{s.escape.common}) $(fn{s.unquote}) $(hdr(Via){param.value,branch}) $(rU{s.unescape.user}) $(ct{s.select,1,;})";

/// Nothing panics: the first line is a variable, a transformation or a format, the rest a
/// message or else the value of a variable.
pub fn check(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n');
    let (text, rest) = data.split_at(at.unwrap_or(data.len()));
    let rest = rest.get(1..).unwrap_or_default();
    let msg = Message::parse(Bytes::copy_from_slice(rest));
    let has_message = msg.is_ok();
    let mut ctx = context(msg.unwrap_or_else(|_| invite()));
    ctx.vars.set(b"x", Value::owned(rest.to_vec()));
    script_text(&mut ctx, text, rest);
    if has_message {
        for name in NAMES.split_whitespace() {
            if let Ok(spec) = Spec::parse(name.as_bytes()) {
                let _ = pv::get(&ctx, &spec).text();
            }
        }
        functions(&mut ctx);
    }
}

/// What a script writes: in routes, but also out of tables and of other variables.
fn script_text(ctx: &mut Context, text: &[u8], value: &[u8]) {
    for name in [text, &[b"$(var(x){", text, b"})"].concat()] {
        let Ok(spec) = Spec::parse(name) else {
            continue;
        };
        let _ = pv::get(ctx, &spec).into_owned();
        pv::set(ctx, &spec, Value::borrowed(value));
        pv::set(ctx, &spec, Value::Int(1));
        pv::set(ctx, &spec, Value::Null);
    }
    if let Ok(format) = Format::parse(text) {
        let _ = format.eval(ctx);
    }
    let _ = Substitution::parse(text).map(|it| it.apply(ctx, value));
}

/// What scripts call for most messages.
fn functions(ctx: &mut Context) {
    let _ = rr::loose_route(ctx);
    let _ = nathelper::nat_uac_test(ctx, 255);
    let _ = siputils::has_totag(ctx);
    let _ = textops::is_audio_on_hold(ctx);
    let _ = nathelper::set_contact_alias(ctx);
    let _ = nathelper::handle_ruri_alias(ctx);
}
