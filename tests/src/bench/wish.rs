//! What was asked for on the command line.

use std::path::PathBuf;

use super::{ROWS, Row, Scale};
use crate::lab::{Engine, Error, Result};

/// What was asked for on the command line.
#[derive(Debug)]
pub struct Wish {
    /// These engines; those that are up if there is none.
    pub engines: Vec<Engine>,
    /// These rows.
    pub rows: Vec<&'static Row>,
    /// How thorough.
    pub scale: Scale,
    /// Where the figures are written for programs.
    pub json: Option<PathBuf>,
}

impl Wish {
    /// Reads the words behind `cargo lab bench`.
    ///
    /// # Errors
    /// For what is not known.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut words = words.into_iter();
        let mut wish = Self {
            engines: Vec::new(),
            rows: Vec::new(),
            scale: Scale::Full,
            json: None,
        };
        while let Some(word) = words.next() {
            let mut value = || {
                let missing = || Error::new(format!("{word} needs a value"), "see: cargo lab help");
                words.next().ok_or_else(missing)
            };
            match word.as_str() {
                "--quick" => wish.scale = Scale::Quick,
                "--engine" => wish.engines.push(Engine::named(&value()?)?),
                "--row" => wish.rows.push(named(&value()?)?),
                "--json" => wish.json = Some(value()?.into()),
                other => {
                    let what = format!("`cargo lab bench` knows no {other:?}");
                    return Err(Error::new(what, "see: cargo lab help"));
                }
            }
        }
        if wish.rows.is_empty() {
            wish.rows = ROWS.iter().collect();
        }
        Ok(wish)
    }
}

fn named(name: &str) -> Result<&'static Row> {
    ROWS.iter().find(|row| row.name == name).ok_or_else(|| {
        let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        Error::new(
            format!("there is no row {name:?}"),
            format!("take one of: {}", names.join(", ")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::Wish;
    use crate::bench::{ROWS, Scale};
    use crate::lab::ENGINES;

    fn parsed(line: &str) -> Option<Wish> {
        Wish::parse(line.split_whitespace().map(str::to_owned)).ok()
    }

    #[test]
    fn reads_the_command_line() {
        let all = parsed("").unwrap();
        assert_eq!(
            (all.rows.len(), all.engines.len(), all.scale),
            (ROWS.len(), 0, Scale::Full)
        );
        let some = parsed("--row kill --engine podman-4 --quick --json x --row create").unwrap();
        assert_eq!((some.rows[0].name, some.rows[1].name), ("kill", "create"));
        assert_eq!((some.engines, some.scale), (vec![ENGINES[3]], Scale::Quick));
        assert_eq!(some.json.unwrap().to_str(), Some("x"));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for wrong in ["--row", "--row walk", "--engine docker-1", "--fast", "create", "--json"] {
            assert!(parsed(wrong).is_none(), "{wrong}");
        }
    }
}
