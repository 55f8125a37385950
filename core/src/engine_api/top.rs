//! `/containers/{id}/top`: its processes.
//!
//! Docker has `ps` of the host list them, with the host's process ids, and fails where there is none. Podman lists them
//! itself, with those of the container; Podman 4 puts each row into one cell, and the titles into another.

use serde::Deserialize;

use super::{json, path};
use crate::error::Error;
use crate::http::{Answer, Request};
use crate::op::{ProcessInfo, shown_command};

const WHAT: &str = "list processes";

pub(crate) fn top(id: &str) -> Result<Request, Error> {
    Ok(Request::get(path("/containers", id, "/top")?))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Listing {
    titles: Option<Vec<String>>,
    processes: Option<Vec<Vec<String>>>,
}

/// The rows that make sense, by their process ids.
pub(crate) fn read(answer: &Answer) -> Result<Vec<ProcessInfo>, Error> {
    if answer.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    let listing: Listing = json(WHAT, &answer.body)?;
    let (titles, rows) = (
        listing.titles.unwrap_or_default(),
        listing.processes.unwrap_or_default(),
    );
    let in_one = titles.len() == 1;
    let titles: Vec<&str> = match &titles[..] {
        [one] => one.split_ascii_whitespace().collect(),
        _ => titles.iter().map(String::as_str).collect(),
    };
    let column = |names: &[&str]| titles.iter().position(|title| names.contains(title));
    let (Some(pid), Some(command)) = (column(&["PID"]), column(&["CMD", "COMMAND"])) else {
        return Ok(Vec::new());
    };
    let read = |row: &Vec<String>| {
        let cells: Vec<&str> = match &row[..] {
            [one] if in_one => cut(one, titles.len()),
            _ => row.iter().map(String::as_str).collect(),
        };
        Some(ProcessInfo {
            pid: cells.get(pid)?.trim().parse().ok()?,
            command: shown_command(cells.get(command)?),
        })
    };
    let mut processes: Vec<_> = rows.iter().filter_map(read).collect();
    processes.sort_by_key(|process| process.pid);
    Ok(processes)
}

/// A row of so many columns, of which the last may have spaces in it.
fn cut(row: &str, columns: usize) -> Vec<&str> {
    let (mut cells, mut rest) = (Vec::new(), row.trim());
    while cells.len() + 1 < columns {
        let Some((cell, more)) = rest.split_once(char::is_whitespace) else {
            break;
        };
        cells.push(cell);
        rest = more.trim_start();
    }
    cells.push(rest);
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::answer;

    fn list(body: &str) -> Vec<(u32, String)> {
        let processes = read(&answer(200, body)).unwrap();
        processes.into_iter().map(|one| (one.pid, one.command)).collect()
    }

    #[test]
    fn every_engine_has_its_own_form() {
        let docker = r#"{"Processes":[["root","6576","6555","6","10:32","?","00:00:00","sleep 100000"]],
            "Titles":["UID","PID","PPID","C","STIME","TTY","TIME","CMD"]}"#;
        assert_eq!(list(docker), [(6576, "sleep 100000".to_owned())]);
        let old = r#"{"Processes":[["12 root     sh -c  a b"],["1 root     sleep 100000"]],"Titles":["PID   USER     COMMAND"]}"#;
        assert_eq!(
            list(old),
            [(1, "sleep 100000".to_owned()), (12, "sh -c  a b".to_owned())]
        );
        let new = r#"{"Processes":[["1","root","sleep 100000"]],"Titles":["PID","USER","COMMAND"]}"#;
        assert_eq!(list(new), [(1, "sleep 100000".to_owned())]);
        assert_eq!(list(""), []);
        assert_eq!(list("{\"Processes\":null,\"Titles\":null}"), []);
        assert_eq!(
            list("{\"Processes\":[[],[\"x\"],[\"-1\",\"a\",\"b\"]],\"Titles\":[\"PID\",\"USER\",\"COMMAND\"]}"),
            []
        );
    }
}
