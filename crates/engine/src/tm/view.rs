//! What routes that tm runs see of the transaction: `$T_reply_code` and its kin.

use sipwright_sip::build::default_reason;
use sipwright_sip::message::Message;
use sipwright_sip::script::{Context, RouteType, TxView};
use sipwright_sip::tx::Transaction;

use super::{TxState, id_of};

/// Shows a branch to the route of its responses.
pub(crate) fn show_reply(t: &Transaction<TxState>, branch: u16, ctx: &mut Context) {
    let (status, reason) = (ctx.msg.status(), ctx.msg.reason().to_vec());
    let mut view = view_of(t, branch, status, ctx);
    view.branch_uri = t.branch(branch).map(|b| b.uri().to_vec());
    view.reply_reason = Some(reason);
    view.reply_last = Some(status);
    ctx.tx = Some(Box::new(view));
}

/// Shows the branch whose failure won, or the only one, to a failure route.
pub(crate) fn show_failure(t: &Transaction<TxState>, branch: u16, code: u16, ctx: &mut Context) {
    let mut view = view_of(t, branch, code, ctx);
    let found = t.branch(branch);
    view.branch_uri = found.map(|b| b.uri().to_vec());
    let reply = found.and_then(|b| b.reply()).cloned();
    let reply = reply.and_then(|bytes| Message::parse(bytes).ok());
    view.reply_made_up = reply.is_none();
    if ctx.route == RouteType::Failure {
        // As in Kamailio it is how many branches there are by now.
        view.branch_idx = u16::try_from(t.branches().len()).unwrap_or(u16::MAX);
        let reason = reply.as_ref().map(|r| r.reason().to_vec());
        view.reply_reason = reason.or_else(|| Some(default_reason(code).into()));
    }
    view.reply = reply.map(Into::into);
    ctx.tx = Some(Box::new(view));
}

pub(super) fn view_of(
    t: &Transaction<TxState>,
    branch: u16,
    code: u16,
    ctx: &mut Context,
) -> TxView {
    let note = t.data.notes.iter().find(|(index, _)| *index == branch);
    let note = note.map(|(_, note)| note);
    ctx.bflags = note.map_or(0, |note| note.flags);
    ctx.binding = note.and_then(|note| note.binding.clone());
    let ruid = ctx.binding.as_ref().and_then(|b| b.ruid.clone());
    TxView {
        id: id_of(t.id()),
        branch_idx: branch,
        reply_code: code,
        reply_ruid: ruid.unwrap_or_default(),
        ..TxView::default()
    }
}
