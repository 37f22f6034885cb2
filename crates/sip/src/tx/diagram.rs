//! State diagrams drawn from the transition tables.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::table::{Row, State, Table, Then};

/// The diagram of a table in Mermaid's language: one arrow for each pair of
/// states, with the events that take it.
#[must_use]
pub fn mermaid(table: &Table) -> String {
    let mut text = format!("stateDiagram-v2\n    [*] --> {:?}\n", table.initial);
    for ((from, to), events) in arrows(table) {
        let _ = writeln!(text, "    {from:?} --> {to:?} : {}", events.join(", "));
    }
    text.push_str("    Terminated --> [*]\n");
    text
}

/// The table as Markdown: every row but those that cannot happen.
#[must_use]
pub fn markdown(table: &Table) -> String {
    let mut text =
        String::from("| state | event | next | actions | section |\n|---|---|---|---|---|\n");
    for row in table.rows {
        let (next, actions) = match row.then {
            Then::Go(next, actions) => (format!("{next:?}"), format!("{actions:?}")),
            Then::Ignore => ("".into(), "ignored".into()),
            Then::Never => continue,
        };
        let actions = actions.trim_matches(['[', ']']);
        let _ = writeln!(
            text,
            "| {:?} | {} | {next} | {actions} | {} |",
            row.state,
            names(row).join(", "),
            row.rfc
        );
    }
    text
}

fn arrows(table: &Table) -> BTreeMap<(State, State), Vec<String>> {
    let mut arrows: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for row in table.rows {
        if let Then::Go(next, _) = row.then {
            arrows
                .entry((row.state, next))
                .or_default()
                .extend(names(row));
        }
    }
    arrows
}

fn names(row: &Row) -> Vec<String> {
    row.events
        .iter()
        .map(|event| format!("{event:?}"))
        .collect()
}
