//! What is not trusted: what it cannot do, and what can still be done with it.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use pocket_dock_core::{
    Command, ContainerSpec, Error, FileErrorKind, FilePath, Language, Network, SessionOptions, Signal, Tmpfs, Turn,
};

use super::files::{fails, said};
use super::options::{group, made, mounted, status};
use super::{Adapter, Bench, Verdict, check, same};
use crate::lab::images;
use crate::tree::Scratch;

/// Every limit of [`ContainerSpec::untrusted`], from inside.
pub(super) fn what_is_not_trusted_can_do_little<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = made(bench, ContainerSpec::untrusted(images::PYTHON))?;
    for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        same(name, status(bench, &sandbox, name)?, "0".repeat(16))?;
    }
    same("NoNewPrivs", status(bench, &sandbox, "NoNewPrivs")?, "1".to_owned())?;
    same("Seccomp", status(bench, &sandbox, "Seccomp")?, "2".to_owned())?;
    // Its main process has no more than its commands.
    let main = said(
        bench,
        &sandbox,
        "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/1/status | tr -d '\\n\\t'",
    )?;
    let wanted = format!("CapEff:{0}CapBnd:{0}NoNewPrivs:1Seccomp:2", "0".repeat(16));
    same("the main process", main, wanted)?;

    let root = mounted(bench, &sandbox, "/")?;
    check(root.split([' ', ',']).any(|option| option == "ro"), || root.clone())?;
    let refused = said(
        bench,
        &sandbox,
        "for f in /x /etc/passwd /bin/sh /root/x /home/x /usr/x /var/x; do (: >>$f) 2>/dev/null && echo $f; done",
    )?;
    same("written", refused, String::new())?;
    for (path, size) in [
        ("/tmp", "size=262144k"),
        ("/var/tmp", "size=65536k"),
        ("/run", "size=16384k"),
    ] {
        let options = mounted(bench, &sandbox, path)?;
        let there: BTreeSet<&str> = options.split([' ', ',']).collect();
        check(
            ["tmpfs", "rw", "nosuid", "nodev", size]
                .iter()
                .all(|one| there.contains(one)),
            || format!("{path}: {options}"),
        )?;
        let kept = said(bench, &sandbox, &format!("cd {path} && echo here >x && cat x && rm x"))?;
        same(path, kept, "here".to_owned())?;
    }
    let full = said(
        bench,
        &sandbox,
        "dd if=/dev/zero of=/run/x bs=1M count=20 2>&1; rm -f /run/x",
    )?;
    check(full.contains("No space left"), || full.clone())?;

    same(
        "memory",
        group(bench, &sandbox, "memory.limit_in_bytes", "memory.max")?,
        (512 << 20).to_string(),
    )?;
    same(
        "processes",
        group(bench, &sandbox, "pids.max", "pids.max")?,
        "256".to_owned(),
    )?;

    let sockets = "import socket as s\n\
        def tries(what, *how):\n    \
            try:\n        made = s.socket(*how)\n    except OSError as e:\n        return print(what, e.strerror)\n    \
            try:\n        made.settimeout(2); made.connect(('192.0.2.1', 80)); print(what, 'connected')\n    \
            except OSError as e:\n        print(what, e.strerror or 'timed out')\n\
        print([name for _, name in s.if_nameindex()])\n\
        tries('tcp', s.AF_INET, s.SOCK_STREAM)\n\
        tries('udp', s.AF_INET, s.SOCK_DGRAM)\n\
        tries('raw', s.AF_INET, s.SOCK_RAW, s.IPPROTO_ICMP)\n\
        tries('packet', s.AF_PACKET, s.SOCK_RAW)";
    let seen = bench.wait(sandbox.run(Command::lang("python", sockets)))?;
    same(
        "sockets",
        seen.stdout_text().into_owned(),
        "['lo']\ntcp Network is unreachable\nudp Network is unreachable\nraw Operation not permitted\n\
         packet Operation not permitted\n"
            .to_owned(),
    )?;
    let root = "import os, socket\n\
        open('/tmp/o', 'w').close()\n\
        def tries(what, call):\n    \
            try:\n        call(); print(what, 'done')\n    \
            except OSError as e:\n        print(what, e.strerror)\n\
        tries('chown', lambda: os.chown('/tmp/o', 1000, 1000))\n\
        tries('mknod', lambda: os.mknod('/tmp/n', 0o20666, os.makedev(1, 3)))\n\
        tries('chroot', lambda: os.chroot('/tmp'))\n\
        tries('hostname', lambda: socket.sethostname('other'))\n\
        tries('nice', lambda: os.nice(-5))\n\
        tries('setuid', lambda: os.setuid(1000))";
    let seen = bench.wait(sandbox.run(Command::lang("python", root)))?;
    let calls = ["chown", "mknod", "chroot", "hostname", "nice", "setuid"];
    let denied: String = calls
        .iter()
        .map(|call| format!("{call} Operation not permitted\n"))
        .collect();
    same("root by name only", seen.stdout_text().into_owned(), denied)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// All kinds of calls, in a container that may do nothing but that.
pub(super) fn what_is_not_trusted_works<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for image in [images::BUSYBOX, images::PYTHON] {
        let sandbox = made(bench, ContainerSpec::untrusted(image))?;
        let result = bench.wait(sandbox.run("cat; exit 3"))?;
        same("a run", result.exit_code, 3)?;
        let worker = bench.wait(sandbox.run(Command::from("id -u; cat").user("worker").stdin("in")))?;
        same(
            "as another user",
            worker.stdout_text().into_owned(),
            "1000\nin".to_owned(),
        )?;
        let code = format!("#{}\necho long", "x".repeat(200_000));
        let long = bench.wait(sandbox.run(Command::lang(Language::sh(), code)))?;
        same("long code", long.stdout_text().into_owned(), "long\n".to_owned())?;

        // The killer is root without any right over others: it looks as each user in turn.
        for user in ["root", "worker"] {
            let tree = "(setsid sleep 6010 &); env -i sleep 6010 & sleep 6010; :";
            let tree = Command::from(tree).user(user).timeout(Duration::from_secs(2));
            let killed = bench.wait(sandbox.run(tree))?;
            let report = killed.killed.as_ref().ok_or("no report")?;
            check(
                killed.timed_out && report.is_clean() && report.signalled.len() >= 4,
                || format!("{user}: {killed:?}"),
            )?;
        }
        let process = bench.wait(sandbox.spawn(Command::from("sleep 6010 & sleep 6010").user("worker")))?;
        let report = bench.wait(process.kill(Signal::Kill))?;
        check(report.is_clean() && !report.signalled.is_empty(), || {
            format!("{report:?}")
        })?;
        let left = said(
            bench,
            &sandbox,
            "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c '[s]leep 6010' || :",
        )?;
        same("left", left, "0".to_owned())?;
        bench.until_listed(&sandbox, &[])?;

        let shell = bench.wait(sandbox.session(SessionOptions::new().timeout(Duration::from_secs(30))))?;
        bench.wait(shell.send_and_wait("cd /tmp && x=kept"))?;
        let late =
            bench.wait(shell.send_and_wait(Turn::new("sleep 6011 & sleep 6011").timeout(Duration::from_secs(1))))?;
        same("a turn's time", late.timed_out, true)?;
        let said_of_it = bench.wait(shell.send_and_wait("cat <<E\n$x in $PWD\nE"))?;
        same(
            "a session",
            said_of_it.stdout_text().into_owned(),
            "kept in /tmp\n".to_owned(),
        )?;
        bench.wait(shell.close())?;

        bench.wait(sandbox.write_file(FilePath::new("/tmp/in/file").mode(0o755), "data"))?;
        same(
            "read",
            &bench.wait(sandbox.read_file("/tmp/in/file"))?[..],
            &b"data"[..],
        )?;
        same("mode", bench.wait(sandbox.stat("/tmp/in/file"))?.mode, 0o755)?;
        let worker = FilePath::new("/tmp/worker").user("worker");
        bench.wait(sandbox.write_file(worker, "data"))?;
        same("owner", bench.wait(sandbox.stat("/tmp/worker"))?.uid, 1000)?;
        same("listed", bench.wait(sandbox.list_files("/tmp/in"))?.len(), 1)?;
        fails(
            bench.wait(sandbox.write_file("/etc/x", "data")),
            FileErrorKind::ReadOnly,
            "/etc/x",
        )?;

        let scratch = Scratch::new(&bench.random())?;
        let (tree, back) = (scratch.path("tree"), scratch.path("back"));
        fs::create_dir_all(tree.join("below"))?;
        fs::write(tree.join("below/file"), "pushed")?;
        bench.wait(sandbox.push(&tree, "/tmp"))?;
        same(
            "pushed",
            said(bench, &sandbox, "cat /tmp/tree/below/file")?,
            "pushed".to_owned(),
        )?;
        bench.wait(sandbox.pull("/tmp/tree", &back))?;
        same(
            "pulled",
            fs::read_to_string(back.join("tree/below/file"))?,
            "pushed".to_owned(),
        )?;
        let elsewhere = bench.wait(sandbox.push(&tree, "/srv"));
        check(
            matches!(&elsewhere, Err(Error::File(error)) if error.kind == FileErrorKind::ReadOnly),
            || format!("{elsewhere:?}"),
        )?;
        bench.wait(sandbox.remove(FilePath::new("/tmp/tree").recursive()))?;

        let began = bench.adapter.now();
        bench.wait(sandbox.shutdown())?;
        let took = bench.adapter.now() - began;
        check(took < Duration::from_secs(10), || format!("its end took {took:?}"))?;
    }
    Ok(())
}

/// Processes without end, in a container that may have so many: it stays among themselves.
pub(super) fn a_fork_bomb_stays_at_home<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let other = bench.sandbox()?;
    let bombed = made(bench, ContainerSpec::untrusted(images::PYTHON).pids(100))?;
    // One that does not burn out when there can be no more of it.
    let code = "import os, time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(0.01)";
    let bomb = bench.wait(bombed.spawn(Command::lang("python", code).timeout(Duration::from_secs(120))))?;
    // The engine says how many there are, as nothing can be started in there now.
    let mut most = 0;
    bench.until("the bomb has gone off", || {
        let path = format!("/containers/{}/stats?stream=false&one-shot=true", bombed.id());
        let (_, said) = bench.peer.request("GET", &path, b"")?;
        let said: serde_json::Value = serde_json::from_slice(&said)?;
        most = most.max(said["pids_stats"]["current"].as_u64().unwrap_or(0));
        Ok(most >= 95)
    })?;
    for _ in 0..3 {
        check(!bench.wait(bench.engine.images())?.is_empty(), || {
            "no images".to_owned()
        })?;
        same(
            "another one",
            bench.wait(other.run("echo here"))?.stdout_text().into_owned(),
            "here\n".to_owned(),
        )?;
        let fresh = bench.sandbox()?;
        bench.wait(fresh.shutdown())?;
    }
    check(most <= 100, || format!("{most} processes of 100"))?;
    // Its end ends all of it.
    bench.wait(bombed.shutdown())?;
    bench.until_gone(bombed.id())?;
    check(bench.wait(bomb.wait()).is_err(), || {
        "the bomb ended by itself".to_owned()
    })?;
    Ok(bench.wait(other.shutdown())?)
}

/// What a preset gives can be had otherwise.
pub(super) fn presets_can_be_changed<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::untrusted(images::BUSYBOX)
        .tmpfs(Tmpfs::new("/tmp").size("1m"))
        .memory("100m")
        .pids(30)
        .read_only_root(false)
        .add_capability("CHOWN")
        .no_new_privileges(false)
        .network(Network::Default);
    let sandbox = made(bench, spec)?;
    let tmp = mounted(bench, &sandbox, "/tmp")?;
    check(tmp.contains("size=1024k"), || tmp.clone())?;
    same(
        "written",
        said(bench, &sandbox, "touch /etc/x && chown 5 /etc/x && stat -c %u /etc/x")?,
        "5".to_owned(),
    )?;
    same("NoNewPrivs", status(bench, &sandbox, "NoNewPrivs")?, "0".to_owned())?;
    let interfaces = said(bench, &sandbox, "ls /sys/class/net | wc -l")?;
    check(interfaces.parse::<u32>()? > 1, || interfaces.clone())?;
    bench.wait(sandbox.shutdown())?;

    let sandbox = made(bench, ContainerSpec::trusted(images::BUSYBOX))?;
    let interfaces = said(
        bench,
        &sandbox,
        "ls /sys/class/net | wc -l; touch /etc/x && echo written",
    )?;
    check(
        interfaces.ends_with("written") && !interfaces.starts_with("1\n"),
        || interfaces.clone(),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}
