//! Serial forking: one set of destinations after the other (Kamailio's
//! `t_load_contacts` and its kin), and the branches that may be tried again.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use super::context::{Binding, BranchTarget, Context};

/// There was nothing to do: no contact is left.
const NONE_LEFT: i32 = -2;

/// What few transactions keep for their failure routes.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The request as it was first forwarded, which failure routes begin with.
    pub request: Option<Arc<Context>>,
    /// Whether `t_save_lumps` has settled the edits of `request`.
    pub edits_settled: bool,
    /// Branches by number, where a branch failure route may want them again.
    pub branches: Vec<(u16, BranchTarget)>,
    contacts: VecDeque<Contact>,
    flows: Vec<BranchTarget>,
}

#[derive(Clone, Debug)]
struct Contact {
    target: BranchTarget,
    /// Whether the next one is of lower preference.
    last: bool,
}

/// How contacts are put in order.
pub enum Order<'a> {
    /// By q, those of equal q together (RFC 3261 section 16.6).
    ByQ,
    /// One at a time, drawn with q as weight; those without q come last. The function
    /// gives a random number below its argument.
    ByChance(&'a mut dyn FnMut(u32) -> u32),
}

/// `KSR.tm.t_load_contacts`: puts all destinations aside for [`next_contacts`]. A single
/// one stays where it is.
pub fn load_contacts(ctx: &mut Context, order: Order<'_>) -> i32 {
    let targets = super::forward::branches(ctx);
    if targets.len() < 2 {
        return 1;
    }
    ctx.branches.clear();
    ctx.tx_data.kept().contacts = match order {
        Order::ByQ => by_q(targets),
        Order::ByChance(random) => by_chance(targets, random),
    };
    1
}

/// `KSR.tm.t_next_contacts`: makes the contacts of highest preference the destinations;
/// -2 when none is left. Of several flows of one user agent (RFC 5626) only the first
/// is tried; the others are for [`next_contact_flow`].
pub fn next_contacts(ctx: &mut Context) -> i32 {
    let Some(kept) = &mut ctx.tx_data.kept else {
        return NONE_LEFT;
    };
    let mut group: Vec<BranchTarget> = Vec::new();
    while let Some(contact) = kept.contacts.pop_front() {
        let target = contact.target;
        let twin = target.instance.is_some() && group.iter().any(|t| t.instance == target.instance);
        if twin {
            kept.flows.push(target);
        } else {
            group.push(target);
        }
        if contact.last {
            break;
        }
    }
    let mut group = group.into_iter();
    let Some(first) = group.next() else {
        return NONE_LEFT;
    };
    set_main(ctx, first);
    ctx.branches.extend(group);
    1
}

/// `KSR.tm.t_next_contact_flow`: makes another flow of the user agent of that branch the
/// destination; -2 when there is none.
pub fn next_contact_flow(ctx: &mut Context, branch: u16) -> i32 {
    let Some(kept) = &mut ctx.tx_data.kept else {
        return NONE_LEFT;
    };
    let failed = kept.branches.iter().find(|(index, _)| *index == branch);
    let Some(instance) = failed.and_then(|(_, target)| target.instance.as_ref()) else {
        return NONE_LEFT;
    };
    let same = |flow: &BranchTarget| flow.instance.as_ref() == Some(instance);
    let Some(at) = kept.flows.iter().position(same) else {
        return NONE_LEFT;
    };
    let flow = kept.flows.remove(at);
    set_main(ctx, flow);
    1
}

/// `KSR.tmx.t_reuse_branch`: makes the destination of that branch the one to try.
pub fn reuse_branch(ctx: &mut Context, branch: u16) -> i32 {
    let kept = ctx.tx_data.kept.as_ref();
    let known = kept.and_then(|k| k.branches.iter().find(|(index, _)| *index == branch));
    match known.map(|(_, target)| target.clone()) {
        Some(target) => {
            set_main(ctx, target);
            1
        }
        None => -1,
    }
}

/// Makes a destination the main one.
pub fn set_main(ctx: &mut Context, target: BranchTarget) {
    let binding = Binding {
        ruid: target.ruid,
        location_ua: target.location_ua,
        instance: target.instance,
        reg_id: target.reg_id,
    };
    ctx.binding = (binding != Binding::default()).then(|| Box::new(binding));
    ctx.set_uri(target.uri);
    ctx.dst_uri = target.dst_uri;
    ctx.flow_route = target.flow;
    ctx.path_vec = target.path;
    ctx.q = target.q;
    ctx.bflags = target.flags;
    ctx.force_socket = target.socket;
}

/// As Kamailio has it: no q is the least, and of equals the later one comes first.
fn by_q(mut targets: Vec<BranchTarget>) -> VecDeque<Contact> {
    targets.reverse();
    targets.sort_by_key(|t| Reverse(t.q));
    let next_q: Vec<_> = targets.iter().skip(1).map(|t| t.q).collect();
    let contacts = targets.into_iter().enumerate();
    contacts
        .map(|(i, target)| Contact {
            last: next_q.get(i).is_none_or(|q| *q != target.q),
            target,
        })
        .collect()
}

fn by_chance(targets: Vec<BranchTarget>, random: &mut dyn FnMut(u32) -> u32) -> VecDeque<Contact> {
    let weight = |t: &BranchTarget| u32::from(t.q.unwrap_or(0));
    let (mut drawn, spare): (Vec<_>, Vec<_>) = targets.into_iter().partition(|t| weight(t) > 0);
    let mut ordered = Vec::with_capacity(drawn.len() + spare.len());
    while !drawn.is_empty() {
        let mut ticket = random(drawn.iter().map(weight).sum());
        let hit = drawn.iter().position(|t| {
            let won = ticket < weight(t);
            ticket = ticket.saturating_sub(weight(t));
            won
        });
        ordered.push(drawn.swap_remove(hit.unwrap_or(0)));
    }
    ordered.extend(spare);
    let contacts = ordered.into_iter();
    contacts
        .map(|target| Contact { target, last: true })
        .collect()
}
