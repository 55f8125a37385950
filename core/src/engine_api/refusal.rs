//! What an engine means when it says no.
//!
//! | asked | Docker | Podman | here |
//! |---|---|---|---|
//! | no such container | 404 | 404 | `Gone` |
//! | name in use | 409 | 500 `that name is already in use`, later 409 | `NameInUse` |
//! | exec in a stopped container | 409 `is not running` | 500 `container state improper` | `NotRunning` |
//! | exec in a paused container | 409 `is paused` | 409 `is paused` | `Paused` |
//! | stop of a paused container | (done) | 500 `running or paused`, `as it is paused` | `Paused`, see `op::unpaused` |
//! | no such image | 404 `No such image` | 404 `image not known` | `Image::NotFound` |
//! | no such network | 404 `network x not found` | 500 `network not found` | `NoNetwork` |
//! | unpause what is not paused | 500 `is not paused` | 500 `is not paused` | `Refused` |
//! | a build | 400, 500 | 400, 500 | `Image::BuildFailed` |
//! | a value out of range | 400 | 400, or 500 `invalid argument` | `Refused` |

use serde::Deserialize;

use crate::error::{ContainerError, Error, ExecError, ImageError};
use crate::http::Answer;

/// What was asked about, for the error.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// Something about the engine as a whole.
    Engine,
    /// An image to be built.
    Build,
    /// An image, by name or id.
    Image(String),
    /// A container, by name or id.
    Container(String),
    /// A container to be created from an image.
    NewContainer {
        name: String,
        image: String,
        memory: Option<u64>,
        disk: Option<u64>,
        network: Option<String>,
    },
    /// A command, run as a user, in a container.
    Exec { container: String, user: Option<String> },
}

/// The body of a refusal, in its four forms: Docker's JSON, Podman's JSON, plain text, nothing.
#[derive(Debug, Default, Deserialize)]
struct Body {
    #[serde(default)]
    cause: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// The engine's own words, whole.
pub(crate) fn words(body: &[u8]) -> String {
    let parsed: Body = serde_json::from_slice(body).unwrap_or_default();
    match (parsed.message, parsed.cause) {
        (Some(message), Some(cause)) if !message.contains(&cause) => format!("{message} ({cause})"),
        (Some(message), _) => message,
        (None, Some(cause)) => cause,
        (None, None) => {
            let text = String::from_utf8_lossy(&body[..body.len().min(4096)]);
            let text = text.trim();
            if text.is_empty() {
                "(it gave no reason)".to_owned()
            } else {
                text.to_owned()
            }
        }
    }
}

/// The error that a refusal is.
pub(crate) fn refused(what: &'static str, subject: &Subject, answer: &Answer) -> Error {
    let status = answer.status();
    let message = words(&answer.body);
    if let Some(error) = about(subject, status, &message) {
        return error;
    }
    Error::Refused { what, status, message }
}

fn about(subject: &Subject, status: u16, message: &str) -> Option<Error> {
    let lower = message.to_ascii_lowercase();
    let message = message.to_owned();
    let error = match subject {
        Subject::Engine => return None,
        Subject::Build => ImageError::BuildFailed {
            message,
            log: String::new(),
        }
        .into(),
        Subject::Image(image) if status == 404 => {
            let image = image.clone();
            ImageError::NotFound { image, message }.into()
        }
        Subject::Image(_) => return None,
        Subject::NewContainer {
            name,
            image,
            memory,
            disk,
            network,
        } => {
            if lower.contains("already in use") && matches!(status, 409 | 500) {
                ContainerError::NameInUse {
                    name: name.clone(),
                    message,
                }
                .into()
            } else if status == 404 && (lower.contains("no such image") || lower.contains("image not known")) {
                ImageError::NotFound {
                    image: image.clone(),
                    message,
                }
                .into()
            } else if let Some(error) = network.as_deref().and_then(|name| no_network(name, &message)) {
                error.into()
            } else if let (Some(bytes), true) = (*memory, lower.contains("memory limit")) {
                ContainerError::BadMemory { bytes, message }.into()
            } else if let (Some(bytes), true) = (*disk, is_about_disk(&lower)) {
                ContainerError::NoDiskLimit { bytes, message }.into()
            } else {
                return None;
            }
        }
        Subject::Container(name) => return state(name, status, &lower, message),
        Subject::Exec { container, user } => {
            if let (Some(user), true) = (user, is_unknown_user(&lower)) {
                return Some(
                    ExecError::NoUser {
                        user: user.clone(),
                        message,
                    }
                    .into(),
                );
            }
            if is_at_limit(&lower) {
                return Some(ExecError::AtLimit { message }.into());
            }
            return state(container, status, &lower, message);
        }
    };
    Some(error)
}

/// Whether these words, lower case, say that the storage cannot limit what a container writes.
fn is_about_disk(lower: &str) -> bool {
    let words = ["storage-opt", "storage opt", "storage driver", "quota"];
    words.iter().any(|word| lower.contains(word)) && !lower.contains("cpu")
}

/// The error, if these words say that a network is missing.
pub(crate) fn no_network(name: &str, message: &str) -> Option<ContainerError> {
    let lower = message.to_ascii_lowercase();
    (lower.contains("network") && (lower.contains("not found") || lower.contains("no such network"))).then(|| {
        ContainerError::NoNetwork {
            network: name.to_owned(),
            message: message.to_owned(),
        }
    })
}

fn state(name: &str, status: u16, lower: &str, message: String) -> Option<Error> {
    let name = name.to_owned();
    let error = match status {
        404 if lower.contains("exec") && !lower.contains("container") => ContainerError::NotRunning { name, message },
        404 if lower.contains("no such container")
            || lower.contains("no container with")
            || lower.contains("(it gave no reason)") =>
        {
            ContainerError::Gone { name, message }
        }
        // It is in the state it is to be brought into.
        _ if lower.contains("not paused") || lower.contains("already paused") => return None,
        409 | 500 if lower.contains("paused") => ContainerError::Paused { name, message },
        409 | 500
            if lower.contains("is not running")
                || lower.contains("not running")
                || lower.contains("running containers")
                || lower.contains("container state improper")
                || lower.contains("can only ") =>
        {
            ContainerError::NotRunning { name, message }
        }
        409 | 500 if lower.contains("no such container") || lower.contains("has already been removed") => {
            ContainerError::Gone { name, message }
        }
        _ => return None,
    };
    Some(error.into())
}

/// Whether it was refused because the container is paused.
pub(crate) fn is_paused(answer: &Answer) -> bool {
    matches!(answer.status(), 409 | 500) && says_paused(&words(&answer.body).to_ascii_lowercase())
}

/// Whether it was refused because the container's processes could not be frozen in time.
pub(crate) fn could_not_freeze(answer: &Answer) -> bool {
    answer.status() == 500 && words(&answer.body).to_ascii_lowercase().contains("unable to freeze")
}

/// Whether it was refused because the container is not paused.
pub(crate) fn is_not_paused(answer: &Answer) -> bool {
    words(&answer.body).to_ascii_lowercase().contains("not paused")
}

fn says_paused(lower: &str) -> bool {
    lower.contains("paused") && !lower.contains("not paused") && !lower.contains("already paused")
}

/// Whether these words, lower case, say that a user or group is not known in the container.
pub(crate) fn is_unknown_user(lower: &str) -> bool {
    lower.contains("unable to find user")
        || lower.contains("unable to find group")
        || lower.contains("no matching entries in passwd file")
        || lower.contains("no matching entries in group file")
}

/// Whether these words, lower case, say that the container has no room for another process: that nothing could be forked
/// (`EAGAIN`), or that the runtime's own process, which needs threads, broke off in the middle of its work.
pub(crate) fn is_at_limit(lower: &str) -> bool {
    lower.contains("resource temporarily unavailable")
        || lower.contains("can't fork")
        || lower.contains("failed to fork")
        || lower.contains("procready not received")
        || lower.contains("failed to create new os thread")
        || lower.contains("pthread_create failed")
        || (lower.contains("runtime exec failed") && lower.contains("connection reset by peer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_refusal_keeps_the_words() {
        assert_eq!(
            words(b"{\"message\":\"No such container: x\"}\n"),
            "No such container: x"
        );
        assert_eq!(
            words(b"{\"cause\":\"no such container\",\"message\":\"no container with name\",\"response\":404}\n"),
            "no container with name (no such container)"
        );
        assert_eq!(words(b"Not Found\n"), "Not Found");
        assert_eq!(words(b""), "(it gave no reason)");
        assert_eq!(words(b"{\"message\":7}"), "{\"message\":7}");
    }

    #[test]
    fn a_container_without_room_for_a_process_is_known() {
        let subject = Subject::Exec {
            container: "c".into(),
            user: None,
        };
        for words in [
            "OCI runtime exec failed: exec failed: unable to start container process: read init-p: connection reset by \
             peer: unknown",
            "OCI runtime exec failed: exec failed: container_linux.go:380: starting container process caused: process_linux.go:130: \
             executing setns process caused: exit status 1: procReady not received",
            "crun: fork: Resource temporarily unavailable: OCI runtime error",
            "runtime/cgo: pthread_create failed: Resource temporarily unavailable",
        ] {
            let error = about(&subject, 500, words);
            assert!(
                matches!(error, Some(Error::Exec(ExecError::AtLimit { .. }))),
                "{words}: {error:?}"
            );
        }
    }

    #[test]
    fn both_engines_refusals_mean_the_same() {
        let subject = Subject::Exec {
            container: "c".into(),
            user: None,
        };
        for (status, words) in [
            (409, "Container 1234 is not running"),
            (
                500,
                "can only create exec sessions on running containers: container state improper",
            ),
            (
                409,
                "cannot exec in a container that is not running; container 1 is exited",
            ),
            (404, "No such exec instance: 12"),
        ] {
            let error = about(&subject, status, words);
            assert!(
                matches!(error, Some(Error::Container(ContainerError::NotRunning { .. }))),
                "{words}: {error:?}"
            );
        }
        for (status, words) in [
            (409, "Container wr-g is paused, unpause the container before exec"),
            (409, "cannot create exec session as container 12 is paused"),
        ] {
            let error = about(&subject, status, words);
            assert!(
                matches!(error, Some(Error::Container(ContainerError::Paused { .. }))),
                "{words}: {error:?}"
            );
        }
        let new = Subject::NewContainer {
            name: "n".into(),
            image: "i".into(),
            memory: None,
            disk: None,
            network: Some("nosuch".into()),
        };
        for (status, words) in [
            (
                409,
                "Conflict. The container name \"/x\" is already in use by container \"1\".",
            ),
            (
                500,
                "the container name \"wr-a\" is already in use by 12 (that name is already in use)",
            ),
        ] {
            let error = about(&new, status, words);
            assert!(
                matches!(error, Some(Error::Container(ContainerError::NameInUse { .. }))),
                "{words}: {error:?}"
            );
        }
        for words in [
            "network nosuch not found",
            "unable to find network with name or ID nosuch: network not found",
        ] {
            let error = about(&new, 404, words);
            assert!(
                matches!(error, Some(Error::Container(ContainerError::NoNetwork { .. }))),
                "{words}: {error:?}"
            );
        }
        let container = Subject::Container("c".into());
        for (status, words) in [
            (500, "Container 12 is not paused"),
            (500, "\"12\" is not paused, can't unpause: container state improper"),
            (409, "container 12 is already paused"),
        ] {
            let error = about(&container, status, words);
            assert!(error.is_none(), "{words}: {error:?}");
        }
    }
}
