//! What each request does, and how each kind of engine answers it.

use std::time::Duration;

use serde_json::{Value, json};

use super::container::{Container, Main, REMOVAL, State};
use super::engine::{Engine, is_unknown};
use super::exec::Exec;
use crate::scripted::{Request, decoded};

/// What becomes of a request.
pub(super) enum Outcome {
    Answer(Vec<u8>),
    /// The same, at that time.
    Later(Duration, Vec<u8>),
    /// A head, and then the stream of an exec.
    Exec(Vec<u8>, String),
    /// A head, and then the standard input of a container; which of its attachments it is.
    Leash(Vec<u8>, String, u64),
    /// A head, and the exit code of a container when it ends.
    Wait(Vec<u8>, String),
    /// A head, and nothing more.
    Stuck(Vec<u8>),
}

use Outcome::Answer;

impl Engine {
    pub(super) fn route(&mut self, request: &Request) -> Outcome {
        let segments: Vec<&str> = request.path.split('/').skip(1).collect();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        match (request.method.as_str(), &segments[..]) {
            ("GET" | "HEAD", ["_ping"]) => Answer(self.writer.text(200, "OK")),
            ("GET", ["version"]) => Answer(self.writer.json(
                200,
                &json!({ "Version": "0", "ApiVersion": "1.51", "MinAPIVersion": "1.24", "Os": "linux" }),
            )),
            ("GET", ["images", "json"]) => Answer(self.images()),
            ("GET", ["images", name, "json"]) => Answer(self.image(&decoded(name))),
            ("POST", ["commit"]) => Answer(self.commit(request)),
            ("POST", ["containers", "create"]) => Answer(self.create(request, &body)),
            ("GET", ["containers", "json"]) => {
                let listed: Vec<Value> = self.containers.iter().map(Container::listed).collect();
                Answer(self.writer.json(200, &Value::Array(listed)))
            }
            ("DELETE", ["containers", id]) => Answer(self.remove(id, request.query("force").is_some())),
            (_, ["containers", id, verb]) => self.container_verb(id, verb, request, &body),
            ("POST", ["exec", id, "start"]) => self.exec_start(id, request.wants_upgrade()),
            ("GET", ["exec", id, "json"]) => Answer(self.exec_inspect(id)),
            _ if self.writer.is_docker() => Answer(self.writer.json(404, &json!({ "message": "page not found" }))),
            _ => Answer(self.writer.text(404, "Not Found\n")),
        }
    }

    fn images(&self) -> Vec<u8> {
        let image = |(at, (name, _)): (usize, &(String, bool))| {
            let prefix = if self.writer.is_docker() {
                ""
            } else {
                "docker.io/library/"
            };
            json!({ "Id": format!("sha256:{at:064x}"), "RepoTags": [format!("{prefix}{name}:latest")], "Size": 1_000_000 })
        };
        self.writer
            .json(200, &Value::Array(self.images.iter().enumerate().map(image).collect()))
    }

    fn image(&self, name: &str) -> Vec<u8> {
        if self.images.iter().any(|(known, _)| known == name) {
            let config = json!({ "Cmd": ["/bin/sh"], "Entrypoint": null });
            return self
                .writer
                .json(200, &json!({ "Id": format!("sha256:{:064x}", 1), "Config": config }));
        }
        let docker = format!("No such image: {name}:latest");
        let podman = format!("failed to find image {name}: {name}: No such image");
        self.refuse(404, [&docker, &podman], "no such image")
    }

    fn commit(&mut self, request: &Request) -> Vec<u8> {
        let query = |key: &str| request.query(key).unwrap_or_default().to_owned();
        let id = query("container");
        let Some(container) = self.container(&id) else {
            return self.no_container(&id);
        };
        let image = container.image.clone();
        let shell = self.images.iter().any(|(known, shell)| *known == image && *shell);
        self.images.push((format!("{}:{}", query("repo"), query("tag")), shell));
        let id = self.new_id();
        let prefix = if self.writer.is_docker() { "sha256:" } else { "" };
        self.writer.json(201, &json!({ "Id": format!("{prefix}{id}") }))
    }

    fn create(&mut self, request: &Request, body: &Value) -> Vec<u8> {
        let name = request.query("name").unwrap_or("unnamed").to_owned();
        let image = body["Image"].as_str().unwrap_or_default();
        if !self.images.iter().any(|(known, _)| known == image) {
            let docker = format!("No such image: {image}:latest");
            let podman = format!("{image}: image not known");
            return self.refuse(404, [&docker, &podman], "image not known");
        }
        if let Some(other) = self.containers.iter().find(|container| container.name == name) {
            let id = other.id.clone();
            let docker = format!("Conflict. The container name \"/{name}\" is already in use by container \"{id}\".");
            let podman = format!("creating container storage: the container name \"{name}\" is already in use by {id}");
            let status = if self.writer.is_docker() { 409 } else { 500 };
            return self.refuse(status, [&docker, &podman], "that name is already in use");
        }
        let id = self.new_id();
        let container = Container::new(id.clone(), name, body);
        if self.writer.is_docker() && (1..6 << 20).contains(&container.memory) {
            return self.refuse(400, ["Minimum memory limit allowed is 6MB", ""], "");
        }
        self.containers.push(container);
        self.writer.json(201, &json!({ "Id": id, "Warnings": [] }))
    }

    fn refuse(&self, status: u16, messages: [&str; 2], cause: &str) -> Vec<u8> {
        self.writer
            .error(status, messages[usize::from(!self.writer.is_docker())], cause)
    }

    fn no_container(&self, id: &str) -> Vec<u8> {
        let docker = format!("No such container: {id}");
        let podman = format!("no container with name or ID \"{id}\" found: no such container");
        self.refuse(404, [&docker, &podman], "no such container")
    }

    /// Docker says conflict, Podman says 500 and the cause.
    fn improper(&self, message: &str) -> Vec<u8> {
        let status = if self.writer.is_docker() { 409 } else { 500 };
        self.refuse(
            status,
            [message, "can only do this to running containers"],
            "container state improper",
        )
    }

    fn remove(&mut self, id: &str, force: bool) -> Vec<u8> {
        let Some(at) = self.containers.iter().position(|container| container.is_called(id)) else {
            return self.no_container(id);
        };
        if self.containers[at].is_running() && !force {
            return self.improper("You cannot remove a running container");
        }
        if let State::Removing(..) = self.containers[at].state {
            return self.improper("removal of container is already in progress");
        }
        self.containers.remove(at);
        self.advance(self.now);
        self.writer.empty(204)
    }

    fn container_verb(&mut self, id: &str, verb: &str, request: &Request, body: &Value) -> Outcome {
        let (now, writer) = (self.now, self.writer);
        let Some(container) = self.container(id) else {
            return Answer(self.no_container(id));
        };
        let (full_id, state, main) = (container.id.clone(), container.state, container.main);
        Answer(match (verb, state) {
            ("json", _) => writer.json(200, &container.inspected()),
            ("attach", _) => {
                container.leash += 1;
                container.stdin_ended = false;
                let number = container.leash;
                return Outcome::Leash(writer.stream_head(request.wants_upgrade()), full_id, number);
            }
            // It would have to be started again first.
            ("wait", State::Exited(_) | State::Removing(..)) if request.query("condition") == Some("next-exit") => {
                return Outcome::Stuck(writer.chunked_head());
            }
            ("wait", _) => return Outcome::Wait(writer.chunked_head(), full_id),
            ("exec", State::Paused) => {
                let podman = format!("cannot create exec session as container {id} is paused");
                self.refuse(
                    409,
                    [
                        &format!("Container {id} is paused, unpause the container before exec"),
                        &podman,
                    ],
                    "",
                )
            }
            ("exec", State::Running) => self.exec_create(full_id, body),
            ("exec", _) => self.improper(&format!("Container {id} is not running")),
            ("start", State::Running) => writer.empty(304),
            ("start", State::Created | State::Exited(_)) => {
                if is_unknown(&container.user) {
                    let message = format!(
                        "unable to find user {}: no matching entries in passwd file",
                        container.user
                    );
                    return Answer(self.refuse(500, [&message, &message], "no matching entries in passwd file"));
                }
                let small = (1..6 << 20).contains(&container.memory);
                if main == Main::Missing || small {
                    let why = if small {
                        "unable to set memory limit"
                    } else {
                        "executable file not found in $PATH"
                    };
                    let status = if writer.is_docker() { 400 } else { 500 };
                    let docker = format!("failed to create task for container: OCI runtime create failed: {why}");
                    return Answer(self.refuse(status, [&docker, &format!("crun: {why}")], "OCI runtime error"));
                }
                container.state = State::Running;
                container.ends = container.lifetime.map(|lifetime| now + lifetime);
                if container.stdin_ended && main == Main::Leash {
                    container.end(0, now);
                }
                writer.empty(204)
            }
            ("stop", State::Paused) if !writer.is_docker() => {
                let message = "container is running or paused, refusing to clean up";
                self.refuse(500, ["", message], "container state improper")
            }
            // Docker's goes on for it; Podman's signal waits, and the one that does not spoils the exit code.
            ("kill", State::Paused) if !writer.is_docker() => {
                if request.query("signal") == Some("SIGKILL") {
                    container.end(-1, now);
                    self.advance(now);
                    return Answer(self.refuse(500, ["", "timed out waiting for file"], "timed out waiting for file"));
                }
                writer.empty(204)
            }
            ("stop", State::Running | State::Paused) if main == Main::Stubborn => {
                let seconds = request.query("t").and_then(|t| t.parse().ok()).unwrap_or(10);
                container.end(137, now + Duration::from_secs(seconds));
                let at = now + Duration::from_secs(seconds);
                self.timers.push(at);
                return Outcome::Later(at, writer.empty(204));
            }
            ("stop", State::Running | State::Paused) => {
                container.end(0, now);
                writer.empty(204)
            }
            ("stop", _) => writer.empty(304),
            ("kill", State::Running | State::Paused) => {
                match request.query("signal").unwrap_or("SIGKILL") {
                    "SIGKILL" => container.end(137, now),
                    "SIGTERM" | "SIGINT" if main == Main::Leash => container.end(0, now),
                    _ => {}
                }
                self.advance(now);
                writer.empty(204)
            }
            ("pause", State::Running) => {
                container.state = State::Paused;
                writer.empty(204)
            }
            ("unpause", State::Paused) => {
                container.state = State::Running;
                writer.empty(204)
            }
            ("pause", State::Paused) => self.improper(&format!("Container {id} is already paused")),
            ("unpause", State::Running) => {
                let message = format!("Container {id} is not paused");
                self.refuse(500, [&message, &message], "container state improper")
            }
            ("kill" | "pause" | "unpause", _) => self.improper(&format!("Container {id} is not running")),
            _ => writer.text(404, "Not Found\n"),
        })
    }

    fn exec_create(&mut self, container: String, body: &Value) -> Vec<u8> {
        let words = |key: &str| -> Vec<String> {
            let list = body[key].as_array().cloned().unwrap_or_default();
            list.into_iter()
                .filter_map(|word| word.as_str().map(str::to_owned))
                .collect()
        };
        let id = self.new_id();
        self.execs.push(Exec {
            id: id.clone(),
            container,
            cmd: words("Cmd"),
            env: words("Env"),
            user: body["User"].as_str().unwrap_or_default().to_owned(),
            attach_stdin: body["AttachStdin"].as_bool().unwrap_or(false),
            pid: self.new_pid(),
            process: None,
        });
        self.writer.json(201, &json!({ "Id": id }))
    }

    fn exec_start(&mut self, id: &str, upgrade: bool) -> Outcome {
        let writer = self.writer;
        let Some(exec) = self.exec(id) else {
            let message = format!("No such exec instance: {id}");
            return Answer(self.refuse(404, [&message, &message], "no such exec session"));
        };
        let (container, user, started) = (exec.container.clone(), exec.user.clone(), exec.process.is_some());
        let state = self.container(&container).map(|container| container.state);
        if state == Some(State::Paused) {
            let message = format!("Container {container} is paused, unpause the container before exec");
            return Answer(self.refuse(409, [&message, &message], "container is paused"));
        }
        if state != Some(State::Running) {
            let docker = format!("No such exec instance: {id}");
            let podman = "cannot exec in a container that is not running; it is exited";
            let status = if writer.is_docker() { 404 } else { 409 };
            return Answer(self.refuse(status, [&docker, podman], "container state improper"));
        }
        if started {
            let message = format!("Error: Exec command {id} has already run");
            return Answer(self.refuse(409, [&message, &message], "exec session state improper"));
        }
        if !writer.is_docker() && is_unknown(&user) {
            let message = format!("unable to find user {user}: no matching entries in passwd file");
            return Answer(self.refuse(500, ["", &message], "no matching entries in passwd file"));
        }
        self.start_exec(id);
        Outcome::Exec(writer.stream_head(upgrade), id.to_owned())
    }

    fn exec_inspect(&mut self, id: &str) -> Vec<u8> {
        let writer = self.writer;
        let Some(exec) = self.exec(id) else {
            let message = format!("No such exec instance: {id}");
            return self.refuse(404, [&message, &message], "no such exec session");
        };
        let running = exec.process.as_ref().is_some_and(super::exec::Process::is_running);
        let code = exec.process.as_ref().and_then(|process| process.code);
        // Podman says 0 where there is no code yet.
        let code = if writer.is_docker() {
            json!(code)
        } else {
            json!(code.unwrap_or(0))
        };
        // Docker keeps the process id behind the end, where there ever was one.
        let failed = exec.process.as_ref().is_none_or(|process| process.failed);
        let pid = if failed || (!running && !writer.is_docker()) {
            0
        } else {
            exec.pid
        };
        let container = exec.container.clone();
        writer.json(
            200,
            &json!({ "ID": id, "Running": running, "ExitCode": code, "Pid": pid, "ContainerID": container }),
        )
    }

    /// The standard input of a container has ended, if it was not attached anew since.
    pub(super) fn end_stdin(&mut self, id: &str, number: u64) {
        let now = self.now;
        if let Some(container) = self.container(id).filter(|container| container.leash == number) {
            container.stdin_ended = true;
            if container.main == Main::Leash {
                container.end(0, now);
            }
        }
        self.timers.push(now + REMOVAL);
        self.advance(now);
    }
}
