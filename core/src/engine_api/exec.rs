//! `/exec`: create, start, inspect.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::container::sendable;
use super::path;
use crate::error::Error;
use crate::http::Request;

/// A command to be started in a container.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Exec {
    pub(crate) attach_stdin: bool,
    pub(crate) attach_stdout: bool,
    pub(crate) attach_stderr: bool,
    pub(crate) tty: bool,
    pub(crate) cmd: Vec<String>,
    pub(crate) env: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) working_dir: Option<String>,
    /// What Docker takes for a wish to detach where there is a terminal: by default ^P^Q, which a program may want.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detach_keys: Option<&'static str>,
}

pub(crate) fn create(container: &str, exec: &Exec) -> Result<Request, Error> {
    sendable(Request::post(path("/containers", container, "/exec")?).json(exec))
}

/// Starts it with its streams on this connection. No byte of input may be sent before the answer's head was read.
///
/// `tty`: the columns and rows of its terminal, if it has one. Docker takes them from API 1.42 on; others ignore them.
pub(crate) fn start(id: &str, tty: Option<(u16, u16)>) -> Result<Request, Error> {
    let mut body = json!({ "Detach": false, "Tty": tty.is_some() });
    if let Some((cols, rows)) = tty {
        body["ConsoleSize"] = json!([rows, cols]);
    }
    sendable(Request::post(path("/exec", id, "/start")?).json(&body)).map(Request::upgrade)
}

/// Sets the size of its terminal. Only of one that runs: Docker waits ten seconds for one that does not.
pub(crate) fn resize(id: &str, cols: u16, rows: u16) -> Result<Request, Error> {
    let path = path("/exec", id, "/resize")?;
    Ok(Request::post(
        path.query("h", &rows.to_string()).query("w", &cols.to_string()),
    ))
}

pub(crate) fn inspect(id: &str) -> Result<Request, Error> {
    Ok(Request::get(path("/exec", id, "/json")?))
}

/// An exec as inspected. The exit code means something only after a start that was ours, and while not running.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Inspected {
    pub(crate) running: bool,
    pub(crate) exit_code: Option<i32>,
    /// On the host. Docker keeps it behind the end, so 0 says that the start failed; Podman does not.
    pub(crate) pid: i64,
}
