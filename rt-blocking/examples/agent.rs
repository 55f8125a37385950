//! The loop of an agent that runs what a model writes: `cargo run --example agent -- IMAGE`.
//!
//! Each snippet has a time limit and a limit on its output, and what goes back to the model is a short text. After a
//! snippet that was killed, the sandbox is used again only if no process of it is left.

use std::time::Duration;

use pocket_dock_blocking::{Command, Container, ContainerSpec, Engine, Error, ExecResult};

const SECONDS: u64 = 2;
const OUTPUT_BYTES: u64 = 2000;

/// What a model might want to run, one after another.
const SNIPPETS: [&str; 5] = [
    "echo 6 times 7 is $((6 * 7))",
    "echo 'no such thing' >&2; exit 3",
    "i=0; while [ $i -lt 100000 ]; do echo line $i; i=$((i + 1)); done",
    "(trap '' TERM HUP; sleep 1000) & sleep 1000",
    "echo still here",
];

fn main() -> Result<(), Error> {
    let image = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "pocket-dock/minimal".to_owned());
    let engine = Engine::connect()?;
    println!("{:?} {} at {}", engine.kind(), engine.version(), engine.socket());
    let spec = ContainerSpec::new(image).memory(256 << 20).pids(64);
    let mut sandbox = engine.create(spec.clone())?;
    for snippet in SNIPPETS {
        println!("\n--- {snippet}");
        let result = run(&sandbox, snippet)?;
        println!("{}", answer(&result));
        if result.killed.as_ref().is_some_and(|killed| !killed.is_clean()) {
            println!("(something of it may be left: a new sandbox takes over)");
            sandbox = engine.create(spec.clone())?;
        }
    }
    sandbox.shutdown()
}

fn run(sandbox: &Container, snippet: &str) -> Result<ExecResult, Error> {
    let limit = Duration::from_secs(SECONDS);
    sandbox.run(Command::from(snippet).timeout(limit).output_limit(OUTPUT_BYTES))
}

/// What the model gets to read.
fn answer(result: &ExecResult) -> String {
    let mut text = result.stdout_text().into_owned();
    if !result.stderr.head.is_empty() {
        text.push_str(&format!("[stderr] {}", result.stderr_text()));
    }
    let end = match (result.timed_out, result.exit_code) {
        (true, _) => format!("killed after {SECONDS} s"),
        (false, 0) => "done".to_owned(),
        (false, code) => format!("exit code {code}"),
    };
    text.push_str(&format!("[{end}, {:.2} s]", result.duration.as_secs_f32()));
    text
}
