//! What an open transaction costs in memory, measured by counting allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use sipwright_sip::Message;
use sipwright_sip::tx::{
    Alternate, Alternates, BranchSpec, Output, Transaction, TxConfig, TxId, TxLayer,
};
use sipwright_sip::types::{Flow, Proto};

/// The promise: bytes for each of many open transactions, without message bytes
/// and the index over them.
const LIMIT: usize = 2_048;
const MANY: usize = 100_000;

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands every call on to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn flow() -> Flow {
    Flow {
        proto: Proto::Udp,
        socket: 0,
        remote: SocketAddr::from(([10, 0, 0, 1], 5060)),
        conn: 0,
    }
}

/// A request whose bytes and index are counted outside: all transactions have
/// one Call-ID, but a branch of their own.
fn request(number: usize) -> Arc<Message> {
    let text = format!(
        "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{number}\r\n\
         From: <sip:a@example.com>;tag=a\r\nTo: <sip:b@example.com>\r\nCall-ID: c\r\n\
         CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    );
    Arc::new(Message::parse(text.into()).expect("a valid request"))
}

fn add_branch(layer: &mut TxLayer<u64>, tx: TxId, index: u16, shared: &Bytes, further: usize) {
    let alternate = || Alternate {
        flow: flow(),
        head: None,
    };
    let targets = (0..further).map(|_| alternate()).collect();
    let next = Alternates::new(shared, 80, index, targets, None);
    let spec = BranchSpec {
        index,
        bytes: shared.clone(),
        flow: flow(),
        uri: shared.slice(7..20),
        server_name: None,
        fallback: None,
        options: sipwright_sip::types::SendOptions::default(),
        on_reply: None,
        on_failure: None,
        next,
    };
    let mut out: Vec<Output<u64>> = Vec::new();
    layer.add_branch(0, tx, spec, &mut out).expect("a branch");
}

/// Bytes per transaction of `MANY` with so many branches, which have so many further
/// targets each, and what is left after.
fn measure(requests: &[Arc<Message>], branches: u16, further: usize) -> (usize, usize) {
    let shared = requests[0].bytes().clone();
    let before = HELD.load(Ordering::Relaxed);
    let mut layer = TxLayer::new(0, 1, TxConfig::default());
    for request in requests {
        let tx = layer.create(0, request.clone(), flow(), 7_u64);
        layer.get_mut(tx).expect("new").hooks_mut().on_failure = None;
        (0..branches).for_each(|index| add_branch(&mut layer, tx, index, &shared, further));
    }
    assert_eq!(layer.len(), MANY);
    let open = HELD.load(Ordering::Relaxed) - before;
    let ids: Vec<_> = layer.iter().map(Transaction::id).collect();
    let mut out = Vec::new();
    for &tx in &ids {
        layer.unpin(0, tx, &mut out);
    }
    let all_timers = 200_000;
    layer.handle_timeout(all_timers, &mut out);
    layer.handle_timeout(2 * all_timers, &mut out);
    layer.handle_timeout(3 * all_timers, &mut out);
    assert_eq!(layer.len(), 0, "every timer has run");
    drop((ids, out));
    let left = HELD.load(Ordering::Relaxed) - before;
    (open / MANY, left)
}

/// One test, because the counter counts for all threads.
#[test]
fn an_open_transaction_is_small() {
    let requests: Vec<_> = (0..MANY).map(request).collect();
    for (branches, further) in [(1, 0), (4, 0), (1, 1), (1, 7)] {
        let (each, left) = measure(&requests, branches, further);
        let what = format!("{branches} branches with {further} further targets");
        println!("{what}: {each} bytes per transaction");
        assert!(each < LIMIT, "{what}: {each} bytes");
        assert!(left < 4_096, "an empty layer keeps {left} bytes");
    }
}
