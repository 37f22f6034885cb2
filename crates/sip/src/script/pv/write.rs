//! Writing: `$ru = ..`, `$avp(x) = ..`, `$fs = ..`.

use std::sync::Arc;

use crate::message::Message;
use crate::nameaddr::parse_nameaddr;
use crate::uri::Uri;

use super::super::addresses::AddressEdit;
use super::super::context::{Context, Value};
use super::super::core::is_token_text;
use super::super::ruri::{Part, with_part};
use super::super::{corex, ruri};
use super::names::Class;
use super::read::null_name;
use super::{Index, avps, branch, read};

/// Variables without an inner name. Null unsets.
pub(super) fn plain(ctx: &mut Context, class: Class, value: Value<'_>) -> bool {
    match class {
        Class::Ruri => match value {
            Value::Str(uri) if !uri.is_empty() => ruri::seturi(ctx, &uri),
            _ => false,
        },
        Class::RuriUser => match value {
            Value::Str(user) => ruri::setuser(ctx, &user),
            Value::Null => ruri::setuser(ctx, b""),
            _ => false,
        },
        Class::RuriDomain => matches!(&value, Value::Str(host) if ruri::sethost(ctx, host)),
        Class::RuriPort => set_port(ctx, &value),
        Class::DstUri => match value {
            Value::Str(uri) => set_next_hop(ctx, &uri),
            Value::Null => ruri::resetdsturi(ctx),
            _ => false,
        },
        Class::From | Class::FromUser | Class::FromDomain | Class::FromName => {
            let edit = ctx.addresses.from.get_or_insert_default();
            set_address(edit, class, value)
        }
        Class::To | Class::ToUser | Class::ToDomain | Class::ToName => {
            let edit = ctx.addresses.to.get_or_insert_default();
            set_address(edit, class, value)
        }
        Class::SendSocket => set_socket(ctx, &value, |ctx, s| ctx.env.find_socket(s).map(|s| s.id)),
        Class::SendSocketName => {
            set_socket(ctx, &value, |ctx, s| ctx.env.named_socket(s).map(|s| s.id))
        }
        Class::MsgFlags => number(&value).map(|n| ctx.tx_data.flags = n).is_some(),
        Class::ScriptFlags => number(&value).map(|n| ctx.sflags = n).is_some(),
        Class::BranchFlags => number(&value).map(|n| ctx.bflags = n).is_some(),
        Class::BranchUri => match value {
            Value::Str(uri) => corex::append_plain_branch(ctx, &uri),
            Value::Null => {
                ctx.branches.clear();
                true
            }
            _ => false,
        },
        _ => false,
    }
}

/// Variables with an inner name. Null unsets.
pub(super) fn with_inner(
    ctx: &mut Context,
    class: Class,
    inner: &[u8],
    index: Index,
    value: Value<'_>,
) -> bool {
    match class {
        Class::Avp => avps::set_avp(ctx, inner, index, value),
        Class::Xavp | Class::Xavu | Class::Xavi => avps::set_xavp(ctx, class, inner, index, value),
        Class::Var | Class::VarZero => {
            ctx.vars.set(inner, value.into_owned());
            true
        }
        Class::VarNull => {
            ctx.vars.set(&null_name(inner), value.into_owned());
            true
        }
        Class::Branch => branch::set(ctx, inner, index, &value),
        Class::Shared => {
            ctx.env.shared.set(inner, value.into_owned());
            true
        }
        Class::StaticBranch => branch::set_static(ctx, inner, &value),
        Class::MsgFlag => set_flag(&mut ctx.tx_data.flags, inner, &value),
        Class::ScriptFlag => set_flag(&mut ctx.sflags, inner, &value),
        Class::BranchFlag => set_flag(&mut ctx.bflags, inner, &value),
        Class::BufferByte => set_byte(ctx, inner, &value),
        _ => false,
    }
}

/// `$msgbuf(index) = c`: at once, if what comes out is a message still.
fn set_byte(ctx: &mut Context, index: &[u8], value: &Value<'_>) -> bool {
    let (Some(at), Value::Str(text)) = (read::buffer_index(ctx, index), value) else {
        return false;
    };
    let Some(byte) = text.first() else {
        return false;
    };
    let mut bytes = ctx.msg.bytes().to_vec();
    bytes[at] = *byte;
    match Message::parse(bytes.into()) {
        Ok(msg) => {
            ctx.msg = Arc::new(msg);
            true
        }
        Err(why) => {
            ctx.complain(format!("the changed message is malformed: {why}"));
            false
        }
    }
}

/// `$du = uri`: unlike `setdsturi` it makes the request-URI a destination to try again.
fn set_next_hop(ctx: &mut Context, uri: &[u8]) -> bool {
    let set = ruri::setdsturi(ctx, uri);
    if set && !uri.is_empty() {
        ctx.uri_used = false;
    }
    set
}

fn set_port(ctx: &mut Context, value: &Value<'_>) -> bool {
    let port = match value {
        Value::Null => None,
        Value::Str(text) if text.is_empty() => None,
        Value::Str(text) | Value::StrInt(text, _) => match read::parse_number(text) {
            Some(port) => Some(port),
            None => return false,
        },
        Value::Int(port) => Some(*port),
    };
    match port.map(u16::try_from) {
        None => ruri::setport(ctx, None),
        Some(Ok(port)) => ruri::setport(ctx, Some(port)),
        Some(Err(_)) => false,
    }
}

/// A display name that leaves the address what it is: a quoted string or tokens
/// (RFC 3261 section 25.1).
fn is_display(text: &[u8]) -> bool {
    let address = [text, b" <sip:a@b>"].concat();
    text.iter().all(|c| *c >= b' ' && *c != 0x7f)
        && parse_nameaddr(&address).is_ok_and(|a| a.uri == b"sip:a@b" && a.params.is_empty())
}

fn is_uri(text: &[u8]) -> bool {
    is_token_text(text)
        && !text.iter().any(|c| matches!(c, b'<' | b'>' | b'"'))
        && Uri::parse(text).is_ok()
}

fn set_address(edit: &mut AddressEdit, class: Class, value: Value<'_>) -> bool {
    let text = match value {
        Value::Str(s) => s.into_owned(),
        Value::Null => Vec::new(),
        _ => return false,
    };
    let fits_uri = |part| with_part(b"sip:u@h", part).is_some_and(|uri| is_uri(&uri));
    match class {
        Class::FromName | Class::ToName if is_display(&text) => edit.display = Some(text),
        Class::FromUser | Class::ToUser if fits_uri(Part::User(&text)) => edit.user = Some(text),
        Class::FromDomain | Class::ToDomain if fits_uri(Part::Host(&text)) => {
            edit.domain = Some(text);
        }
        Class::From | Class::To if is_uri(&text) => {
            *edit = AddressEdit {
                display: edit.display.take(),
                uri: Some(text),
                ..AddressEdit::default()
            };
        }
        _ => return false,
    }
    true
}

/// `$fs`, `$fsn`: a socket that is not there leaves things as they are and is no error.
fn set_socket(
    ctx: &mut Context,
    value: &Value<'_>,
    find: impl Fn(&Context, &[u8]) -> Option<u16>,
) -> bool {
    match value {
        Value::Null => ctx.force_socket = None,
        Value::Str(text) if text.is_empty() => ctx.force_socket = None,
        Value::Str(text) => match find(ctx, text) {
            Some(id) => ctx.force_socket = Some(id),
            None => ctx.complain(format!("no socket is {}", String::from_utf8_lossy(text))),
        },
        _ => return false,
    }
    true
}

fn number(value: &Value<'_>) -> Option<u32> {
    match value {
        Value::Int(n) => Some(branch::bits(*n)),
        Value::Null => Some(0),
        _ => None,
    }
}

fn set_flag(flags: &mut u32, number: &[u8], value: &Value<'_>) -> bool {
    let Some(bit) = read::parse_number(number)
        .filter(|n| (0..32).contains(n))
        .map(|n| 1_u32 << n)
    else {
        return false;
    };
    match value {
        Value::Int(0) | Value::Null => *flags &= !bit,
        Value::Int(_) => *flags |= bit,
        _ => return false,
    }
    true
}
