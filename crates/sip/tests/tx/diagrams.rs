//! The diagrams in the documentation are those of the tables.

use std::path::PathBuf;

use sipwright_sip::tx::{Kind, diagram};

/// What the generated part of the page begins and ends with.
const BEGIN: &str = "<!-- generated from the tables; SIPWRIGHT_BLESS=1 cargo test -p sipwright-sip --test tx diagrams -->\n";
const END: &str = "<!-- end of the generated part -->\n";

fn generated() -> String {
    let mut text = String::from(BEGIN);
    for (kind, title) in Kind::ALL.into_iter().zip([
        "INVITE server transaction",
        "Non-INVITE server transaction",
        "INVITE client transaction",
        "Non-INVITE client transaction",
    ]) {
        let table = kind.table();
        let (picture, rows) = (diagram::mermaid(table), diagram::markdown(table));
        text += &format!("\n### {title}\n\n```mermaid\n{picture}```\n\n{rows}");
    }
    text + "\n" + END
}

fn page() -> PathBuf {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo");
    PathBuf::from(root).join("../../docs/explain/transactions.md")
}

#[test]
fn the_page_is_up_to_date() {
    let text = std::fs::read_to_string(page()).expect("the page");
    let begin = text.find(BEGIN).expect("where the generated part begins");
    let end = text.find(END).expect("where it ends") + END.len();
    let fresh = text[..begin].to_owned() + &generated() + &text[end..];
    if std::env::var_os("SIPWRIGHT_BLESS").is_some() {
        std::fs::write(page(), &fresh).expect("a writable page");
        return;
    }
    assert!(
        text == fresh,
        "stale: run with SIPWRIGHT_BLESS=1 to write it anew"
    );
}
