//! Commands: output, input, codes, deadlines, and what cannot be started.

use std::time::Duration;

use pocket_dock_core::{Command, ContainerSpec, Error, ExecError};
use pocket_dock_tests::scripted::Split;
use pocket_dock_tests::sim::{Behaviour, emitted};

use crate::world::everywhere;

#[test]
fn commands_give_their_output_and_their_code() {
    everywhere(|world| {
        let container = world.container();
        let behaviour = Behaviour {
            stdout: vec![b"a".to_vec(), b"\n".to_vec(), vec![0xff; 3]],
            stderr: vec![b"__PD_".to_vec(), b"oops".to_vec()],
            exit_code: 42,
            duration: Duration::from_millis(1500),
            ..Behaviour::default()
        };
        world.sim.command("odd", behaviour);
        let result = container.run("odd").unwrap();
        assert_eq!(result.exit_code, 42, "{}", world.at);
        assert_eq!(&result.stdout.head[..], b"a\n\xff\xff\xff", "{}", world.at);
        assert_eq!(&result.stderr.head[..], b"__PD_oops", "{}", world.at);
        assert!(result.duration >= Duration::from_millis(1500) && result.duration < Duration::from_secs(2));
        assert!(
            !result.timed_out && result.killed.is_none() && !result.success(),
            "{}",
            world.at
        );
        for (command, code, text) in [
            ("true", 0, ""),
            ("false", 1, ""),
            ("exit 255", 255, ""),
            ("echo x  y", 0, "x  y\n"),
        ] {
            let result = container.run(command).unwrap();
            assert_eq!(
                (result.exit_code, &*result.stdout_text()),
                (code, text),
                "{}: {command}",
                world.at
            );
        }
        let result = container.run(Command::argv(["echo", "x"])).unwrap();
        assert_eq!((result.exit_code, &*result.stdout_text()), (0, "x\n"), "{}", world.at);
        let result = container.run("nosuch").unwrap();
        assert_eq!(result.exit_code, 127, "{}", world.at);
        assert!(result.stderr_text().contains("nosuch: not found"), "{}", world.at);
    });
}

#[test]
fn input_comes_back_while_it_is_still_being_sent() {
    everywhere(|world| {
        let container = world.container();
        let input = emitted(world.bytes());
        let result = container.run(Command::shell("cat").stdin(input.clone())).unwrap();
        assert_eq!(result.exit_code, 0, "{}", world.at);
        assert_eq!(result.stdout.to_bytes(), input, "{}", world.at);
        let result = container.run(Command::shell("cat").stdin("")).unwrap();
        assert_eq!(
            (result.exit_code, result.stdout.to_bytes().len()),
            (0, 0),
            "{}",
            world.at
        );
        let result = container.run("cat").unwrap();
        assert_eq!(
            (result.exit_code, result.stdout.to_bytes().len()),
            (0, 0),
            "{}: no input",
            world.at
        );
        // Input that nobody reads does not keep the call.
        let result = container.run(Command::shell("echo x").stdin(input)).unwrap();
        assert_eq!((result.exit_code, &*result.stdout_text()), (0, "x\n"), "{}", world.at);
    });
}

#[test]
fn long_code_goes_before_the_input() {
    everywhere(|world| {
        if world.split == Split::Bytes {
            return; // the code alone has a hundred thousand bytes
        }
        let container = world.container();
        let text = "y".repeat(100_000);
        let result = container.run(format!("echo {text}")).unwrap();
        assert_eq!(result.exit_code, 0, "{}", world.at);
        assert_eq!(*result.stdout_text(), text + "\n", "{}", world.at);
    });
}

#[test]
fn a_command_is_killed_at_its_deadline() {
    everywhere(|world| {
        let container = world.container();
        let behaviour = Behaviour {
            stdout: vec![b"so far".to_vec()],
            duration: Duration::from_secs(3600),
            ..Behaviour::default()
        };
        world.sim.command("slow", behaviour);
        let before = world.runtime.elapsed();
        let result = container
            .run(Command::shell("slow").timeout(Duration::from_secs(7)))
            .unwrap();
        let took = world.runtime.elapsed() - before;
        assert!(
            took >= Duration::from_secs(7) && took < Duration::from_secs(8),
            "{}: {took:?}",
            world.at
        );
        assert!(result.timed_out && result.exit_code == 137, "{}: {result:?}", world.at);
        assert_eq!(&result.stdout.head[..], b"so far", "{}", world.at);
        let killed = result.killed.unwrap();
        assert!(
            killed.is_clean() && killed.signalled.len() == 1,
            "{}: {killed:?}",
            world.at
        );
        assert_eq!(world.sim.running(), 0, "{}", world.at);
        let result = container
            .run(Command::shell("sleep 6").timeout(Duration::from_secs(7)))
            .unwrap();
        assert!(
            !result.timed_out && result.success() && result.killed.is_none(),
            "{}",
            world.at
        );
    });
}

#[test]
fn what_a_command_leaves_behind_is_not_waited_for() {
    everywhere(|world| {
        let container = world.container();
        let behaviour = Behaviour {
            stdout: vec![b"fg\n".to_vec()],
            exit_code: 3,
            lingers: Duration::from_secs(3600),
            ..Behaviour::default()
        };
        world.sim.command("daemon & echo fg; exit 3", behaviour);
        let result = container.run("daemon & echo fg; exit 3").unwrap();
        assert_eq!((result.exit_code, &*result.stdout_text()), (3, "fg\n"), "{}", world.at);
        assert!(world.runtime.elapsed() < Duration::from_secs(1), "{}", world.at);
    });
}

#[test]
fn the_middle_of_long_output_is_counted_only() {
    everywhere(|world| {
        let container = world.container();
        let count = world.bytes();
        let command = Command::shell(format!("emit {count}"));
        let result = container.run(command.clone().output_limit(1000)).unwrap();
        let all = emitted(count);
        assert_eq!(result.stdout.omitted_bytes, count as u64 - 1000, "{}", world.at);
        assert_eq!(result.stdout.head, all[..500], "{}", world.at);
        assert_eq!(result.stdout.tail, all[count - 500..], "{}", world.at);
        assert!(result.truncated() && result.stderr.omitted_bytes == 0, "{}", world.at);
        let result = container.run(command.unlimited_output()).unwrap();
        assert_eq!(result.stdout.to_bytes(), all, "{}", world.at);
    });
}

#[test]
fn what_cannot_be_started_says_why() {
    everywhere(|world| {
        let container = world.container();
        let error = container.run(Command::argv(["nosuch", "x"])).unwrap_err();
        assert!(
            matches!(&error, Error::Exec(ExecError::NotFound { program }) if program == "nosuch"),
            "{error}"
        );
        let error = container.run(Command::shell("true").workdir("/nosuch")).unwrap_err();
        assert!(
            matches!(&error, Error::Exec(ExecError::NoDirectory { path }) if path == "/nosuch"),
            "{error}"
        );
        let error = container.run(Command::shell("true").user("nosuch")).unwrap_err();
        assert!(
            matches!(&error, Error::Exec(ExecError::NoUser { user, .. }) if user == "nosuch"),
            "{error}"
        );
        let sent = world.sim.requests().len();
        let error = container.run(Command::argv([""; 0])).unwrap_err();
        assert!(matches!(error, Error::Misuse(_)), "{error}");
        assert_eq!(world.sim.requests().len(), sent, "{}: it was sent", world.at);
    });
}

#[test]
fn programs_run_without_a_shell_and_command_strings_do_not() {
    everywhere(|world| {
        let container = world
            .engine
            .create(ContainerSpec::new("distroless").command(["sleep", "inf"]))
            .unwrap();
        let result = container.run(Command::argv(["echo", "direct"])).unwrap();
        assert_eq!(
            (result.exit_code, &*result.stdout_text()),
            (0, "direct\n"),
            "{}",
            world.at
        );
        let result = container.run(Command::argv(["cat"]).stdin("in")).unwrap();
        assert_eq!((result.exit_code, &*result.stdout_text()), (0, "in"), "{}", world.at);
        let result = container.run(Command::argv(["sleep", "9"])).unwrap();
        assert_eq!(result.exit_code, 0, "{}", world.at);
        assert!(result.duration >= Duration::from_secs(9) && result.duration < Duration::from_secs(11));
        let result = container.run(Command::argv(["exit", "6"])).unwrap();
        assert_eq!(result.exit_code, 6, "{}", world.at);
        // What a command prints does not decide whether it was started.
        let result = container
            .run(Command::argv(["echo", "the OCI runtime was not found"]))
            .unwrap();
        assert_eq!(
            (result.exit_code, &*result.stdout_text()),
            (0, "the OCI runtime was not found\n"),
            "{}",
            world.at
        );
        for (code, stdout, stderr) in [
            (127, "", "the OCI runtime exec failed: not found\n"),
            (126, "", "error: crun says permission denied by the OCI runtime\n"),
            (125, "Error: crun: x: OCI runtime error\n", ""),
        ] {
            let behaviour = Behaviour {
                stdout: vec![stdout.into()],
                stderr: vec![stderr.into()],
                exit_code: code,
                ..Behaviour::default()
            };
            world.sim.command("words", behaviour);
            let result = container.run(Command::argv(["words"])).unwrap();
            assert_eq!(
                (result.exit_code, &*result.stdout_text(), &*result.stderr_text()),
                (code, stdout, stderr),
                "{}",
                world.at
            );
        }
        let error = container.run("echo x").unwrap_err();
        assert!(
            matches!(error, Error::Exec(ExecError::NoTool { tool: "/bin/sh", .. })),
            "{}: {error}",
            world.at
        );
        let error = container.run(Command::argv(["nosuch"])).unwrap_err();
        assert!(
            matches!(error, Error::Exec(ExecError::NotFound { .. })),
            "{}: {error}",
            world.at
        );
    });
}

#[test]
fn what_a_direct_command_leaves_behind_is_not_waited_for_however_much_it_prints() {
    everywhere(|world| {
        let container = world
            .engine
            .create(ContainerSpec::new("distroless").command(["sleep", "inf"]))
            .unwrap();
        let behaviour = Behaviour {
            stdout: vec![b"fg\n".to_vec()],
            exit_code: 3,
            duration: Duration::from_millis(500),
            lingers: Duration::from_secs(60),
            babbles: Duration::from_millis(100),
            ..Behaviour::default()
        };
        world.sim.command("daemon", behaviour);
        let before = world.runtime.elapsed();
        let result = container.run(Command::argv(["daemon"])).unwrap();
        let took = world.runtime.elapsed() - before;
        assert_eq!(result.exit_code, 3, "{}", world.at);
        assert!(result.stdout_text().starts_with("fg\n"), "{}", world.at);
        assert!(took < Duration::from_secs(5), "{}: {took:?}", world.at);
    });
}
