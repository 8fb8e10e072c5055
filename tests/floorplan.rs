//! Holds the house to its floor plan (ARCHITECTURE.md §2): a module imports only floors below its
//! own, and siblings of its own folder; files and functions keep their sizes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: a failure is the test's"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Floor of each top-level module, times ten: `runtime` stands between two floors.
const FLOORS: &[(&str, u32)] = &[
    ("types", 10),
    ("chat", 19),
    ("catalog", 20),
    ("dialect", 21),
    ("framing", 18),
    ("govern", 22),
    ("auth", 30),
    ("limits", 30),
    ("meter", 30),
    ("routing", 30),
    ("upstream", 40),
    ("archive", 40),
    ("store", 40),
    ("cluster", 41),
    ("telemetry", 40),
    ("config", 40),
    ("runtime", 45),
    ("proxy", 50),
    ("admin", 50),
    ("jobs", 50),
    ("sim", 50),
    ("assemble", 60),
    ("server", 58),
    ("cli", 70),
];
const LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort();
    assert!(found.len() > 100, "the sources were not found");
    found
}

fn module_of(path: &Path) -> String {
    let relative = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// Modules named after `crate::`, also inside one level of braces: `use crate::{a, b}`.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let list = list.split('}').next().unwrap_or_default();
            found.extend(
                list.split(',').map(|name| name.trim().split("::").next().unwrap_or_default().to_owned()),
            );
        } else {
            found.push(
                rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned(),
            );
        }
    }
    found
}

#[test]
fn every_import_goes_down() {
    let floors: BTreeMap<&str, u32> = FLOORS.iter().copied().collect();
    let mut faults = Vec::new();
    for path in all_sources() {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        let floor = *floors.get(module.as_str()).unwrap_or_else(|| panic!("{module}/ has no floor"));
        for import in imports(&fs::read_to_string(&path).unwrap()) {
            let Some(other) = floors.get(import.as_str()) else { continue };
            let is_below = *other < floor;
            if import != module && !is_below {
                faults.push(format!(
                    "{} (floor {}): {module} imports {import} (floor {})",
                    path.display(),
                    floor / 10,
                    other / 10
                ));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn low_floors_know_no_pingora_and_the_lowest_no_tokio() {
    let floors: BTreeMap<&str, u32> = FLOORS.iter().copied().collect();
    for path in all_sources() {
        let floor = floors.get(module_of(&path).as_str()).copied().unwrap_or(99);
        let text = fs::read_to_string(&path).unwrap();
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        if floor < 40 {
            for session in ["pingora_core", "pingora_proxy", "pingora_http"] {
                assert!(!code.contains(session), "{} names {session}", path.display());
            }
        }
        if floor < 30 {
            assert!(!code.contains("tokio::"), "{} names tokio", path.display());
        }
    }
}

#[test]
fn files_and_functions_keep_their_sizes() {
    let mut faults = Vec::new();
    for path in all_sources() {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        if lines > LINES_MAX {
            faults.push(format!("{}: {lines} lines", path.display()));
        }
        for (name, length) in functions(&text) {
            if length > FUNCTION_LINES_MAX {
                faults.push(format!("{}: fn {name} has {length} lines", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Functions and their lengths, by indentation: the closing brace stands where the `fn` line does.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let words: Vec<&str> = code.split_whitespace().take(5).collect();
        let Some(at) = words.iter().position(|word| *word == "fn") else { continue };
        let is_declaration =
            words[..at].iter().all(|w| w.starts_with("pub") || matches!(*w, "async" | "const"));
        if !is_declaration || code.ends_with(';') {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[start..].iter().position(|other| *other == closing) {
            let name = words.get(at + 1).copied().unwrap_or_default();
            found.push((name.split(['(', '<']).next().unwrap_or_default().to_owned(), length + 1));
        }
    }
    found
}
