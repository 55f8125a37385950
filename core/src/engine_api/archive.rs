//! `/containers/{id}/archive`: trees as tar, out of a container and into it.
//!
//! The engine does it, whatever the image has in it, and as root. What it sees differs: see
//! [`Mounts`](crate::files::Mounts).

use super::path;
use crate::error::Error;
use crate::http::Request;

/// Always unpacked from the root on: Docker before 28 refuses links that lead out of the directory it unpacks into. A file
/// never takes the place of a directory, nor a directory that of a file.
///
/// Not with `copyUIDGID`: Podman then gives everything to root, and Docker takes no notice.
pub(crate) fn put(container: &str) -> Result<Request, Error> {
    let path = path("/containers", container, "/archive")?
        .query_bytes("path", b"/")
        .query("noOverwriteDirNonDir", "1");
    Ok(Request::put(path).chunked("application/x-tar"))
}

pub(crate) fn get(container: &str, there: &[u8]) -> Result<Request, Error> {
    Ok(Request::get(
        path("/containers", container, "/archive")?.query_bytes("path", there),
    ))
}
