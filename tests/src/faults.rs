//! `tests/FAULTS.md`, the table of faults, and `SECURITY.md` name tests that exist.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    const TABLE: &str = include_str!("../FAULTS.md");
    const PROMISES: &str = include_str!("../../SECURITY.md");
    /// The rows that are about something which is not here, and so has no test.
    const NONE: [&str; 2] = ["P54", "P57"];

    /// The files and functions that a line names.
    fn named(line: &str) -> impl Iterator<Item = (&str, &str)> {
        let quoted = line.split('`').skip(1).step_by(2);
        quoted.filter_map(|text| text.split_once(".rs: "))
    }

    #[test]
    fn every_fault_names_the_tests_that_show_the_opposite() {
        let rows: Vec<&str> = TABLE.lines().filter(|line| line.starts_with("| P")).collect();
        for (number, row) in rows.iter().enumerate() {
            let name = format!("P{}", number + 1);
            assert!(row.starts_with(&format!("| {name} |")), "{row}");
            assert_eq!(named(row).count() == 0, NONE.contains(&name.as_str()), "{row}");
        }
        assert_eq!(rows.len(), 68);
    }

    #[test]
    fn every_test_that_is_named_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let all: BTreeSet<(&str, &str)> = TABLE.lines().chain(PROMISES.lines()).flat_map(named).collect();
        assert!(all.len() > 100, "only {} are found", all.len());
        for (file, name) in all {
            let folder = if file.starts_with("suite/") { "tests/src" } else { "" };
            let path = root.join(folder).join(format!("{file}.rs"));
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let there = ["(", "<"].iter().any(|next| text.contains(&format!("fn {name}{next}")));
            assert!(there, "{name} is not in {}", path.display());
            // A case that is not in the list of the suite is not run.
            if file.starts_with("suite/") {
                let list = include_str!("suite/mod.rs");
                let module = file.trim_start_matches("suite/");
                assert!(list.contains(&format!("{module}::{name},")), "{name} is not run");
            }
        }
    }
}
