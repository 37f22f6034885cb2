//! Every stored input of every target: the seeds, and what fuzzing has found.

use std::fs;
use std::path::Path;

use sipwright_fuzz::{TARGETS, run};

fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["corpus", "findings"]
        .iter()
        .filter_map(|kind| fs::read_dir(root.join(kind).join(target)).ok())
        .flatten()
        .map(|entry| {
            let path = entry.expect("an entry").path();
            (path.display().to_string(), fs::read(path).expect("a file"))
        })
        .collect()
}

#[test]
fn stored_inputs_hold() {
    for (name, check) in TARGETS {
        let inputs = inputs(name);
        assert!(!inputs.is_empty(), "{name} has seeds");
        for (path, data) in inputs {
            println!("{path}");
            run(*check, &data);
        }
    }
}
