//! Networks, and ports that are reached where they are bound, and nowhere else.

use pocket_dock_core::{
    Command, Container, ContainerError, ContainerSpec, Error, Network, Port, PortProtocol, Runtime as _,
};
use serde_json::json;

use super::files::said;
use super::options::made;
use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::lab::images;

/// Says its name over TCP, and gives back what comes over UDP.
const SERVER: &str = "import socket, threading\n\
    tcp = socket.create_server(('', 8000))\n\
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
    udp.bind(('', 8000))\n\
    def echo():\n    \
        while True:\n        \
            data, peer = udp.recvfrom(64)\n        \
            udp.sendto(b'udp ' + data, peer)\n\
    threading.Thread(target=echo, daemon=True).start()\n\
    while True:\n    \
        one, _ = tcp.accept()\n    \
        one.sendall(socket.gethostname().encode())\n    \
        one.close()";

/// What each of `tcp:ADDRESS:PORT` and `udp:ADDRESS:PORT` answers, tried for 10 s; with an `!` before it, for half a second.
const CLIENT: &str = "import socket, sys, time\n\
    def ask(kind, address, port):\n    \
        if kind == 'udp':\n        \
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n            \
                s.settimeout(0.5)\n            \
                s.connect((address, port))\n            \
                s.send(b'hello')\n            \
                return s.recv(64).decode()\n    \
        with socket.create_connection((address, port), 0.5) as s:\n        \
            return s.recv(64).decode()\n\
    for place in sys.argv[1:]:\n    \
        kind, address, port = place.lstrip('!').split(':')\n    \
        until, answer = time.monotonic() + (0.5 if place[0] == '!' else 10), ''\n    \
        while not answer and time.monotonic() < until:\n        \
            try: answer = ask(kind, address, int(port))\n        \
            except OSError: time.sleep(0.1)\n    \
        print(place, answer or 'nobody', flush=True)";

/// The address of the engine's machine in a container's network.
const GATEWAY: &str = "import socket\n\
    for line in open('/proc/net/route').read().splitlines()[1:]:\n    \
        words = line.split()\n    \
        if words[1] == '00000000': print(socket.inet_ntoa(bytes.fromhex(words[2])[::-1]))";

/// Asks from where the engine is, which may be in a network of its own: not through us, who would refuse such a container.
fn asked<A: Adapter>(bench: &Bench<A>, places: &[String]) -> Result<Vec<String>, Failure> {
    let name = format!("pd-test-{}", bench.random());
    let mut command = vec!["python3", "-c", CLIENT];
    command.extend(places.iter().map(String::as_str));
    let body = json!({ "Image": images::PYTHON, "Cmd": command, "HostConfig": { "NetworkMode": "host" } });
    let answers = (|| -> Result<String, Failure> {
        let path = format!("/containers/create?name={name}");
        let (status, answer) = bench.peer.request("POST", &path, body.to_string().as_bytes())?;
        check(status == 201, || String::from_utf8_lossy(&answer).into_owned())?;
        bench.peer.request("POST", &format!("/containers/{name}/start"), b"")?;
        bench.until("the one that asks has ended", || {
            let state = bench.peer.inspect(&name)?.ok_or("it is gone")?;
            Ok(state["State"]["Status"] == "exited")
        })?;
        let logs = format!("/containers/{name}/logs?stdout=1&stderr=1");
        let (_, log) = bench.peer.request("GET", &logs, b"")?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    })();
    bench.peer.remove(&name)?;
    let log = answers?;
    places
        .iter()
        .map(|place| {
            let answer = log.lines().find_map(|line| line.split_once(&format!("{place} ")));
            let (_, answer) = answer.ok_or_else(|| format!("{place} is not in {log:?}"))?;
            Ok(answer.to_owned())
        })
        .collect()
}

/// A container that answers at port 8000, and its name as it tells it.
fn server<A: Adapter>(bench: &Bench<A>, address: [u8; 4]) -> Result<(Container<A::Runtime>, [u16; 2]), Failure> {
    let spec = ContainerSpec::new(images::PYTHON)
        .network(Network::Default)
        .port(Port::tcp(8000).address(address))
        .port(Port::udp(8000).address(address));
    let sandbox = made(bench, spec)?;
    let ports = bench.wait(sandbox.ports())?;
    let of = |protocol| {
        let mut all = ports.iter().filter(|port| port.protocol == protocol);
        all.next().map(|port| port.host_port).ok_or("a port is not bound")
    };
    let both = [of(PortProtocol::Tcp)?, of(PortProtocol::Udp)?];
    Ok((sandbox, both))
}

pub(super) fn ports_are_reached_where_they_are_bound<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (near, near_ports) = server(bench, [127, 0, 0, 1])?;
    let (wide, wide_ports) = server(bench, [0, 0, 0, 0])?;
    let serving = [
        bench.wait(near.spawn(Command::lang("python", SERVER)))?,
        bench.wait(wide.spawn(Command::lang("python", SERVER)))?,
    ];
    let gateway = bench.wait(near.run(Command::lang("python", GATEWAY)))?;
    let gateway = gateway.stdout_text().trim().to_owned();
    let names = [said(bench, &near, "hostname")?, said(bench, &wide, "hostname")?];
    let local = "127.0.0.1";
    let mut wanted = Vec::new();
    for (ports, name, addresses) in [
        (near_ports, &names[0], &[local][..]),
        (wide_ports, &names[1], &[local, &gateway]),
    ] {
        for address in addresses {
            wanted.push((format!("tcp:{address}:{}", ports[0]), name.clone()));
            wanted.push((format!("udp:{address}:{}", ports[1]), "udp hello".to_owned()));
        }
    }
    wanted.push((format!("!tcp:{gateway}:{}", near_ports[0]), "nobody".to_owned()));
    let places: Vec<String> = wanted.iter().map(|(place, _)| place.clone()).collect();
    let seen: Vec<(String, String)> = places.iter().cloned().zip(asked(bench, &places)?).collect();
    same("answers", seen, wanted)?;
    drop(serving);
    bench.wait(near.shutdown())?;
    Ok(bench.wait(wide.shutdown())?)
}

pub(super) fn a_port_of_ones_own_is_had_by_one<A: Adapter>(bench: &Bench<A>) -> Verdict {
    // Below those that the system gives out by itself.
    let random = bench.adapter.runtime().host().entropy();
    let port = 12_000 + u16::from_be_bytes([random[0], random[1]]) % 20_000;
    let spec = || {
        ContainerSpec::new(images::BUSYBOX)
            .network(Network::Default)
            .port(Port::tcp(80).host_port(port))
    };
    let first = made(bench, spec())?;
    let ports = bench.wait(first.ports())?;
    same("ports", ports.iter().map(|one| one.host_port).collect(), vec![port])?;
    let name = format!("second-{}", bench.random());
    let second = bench.wait(bench.engine.create(spec().name(&name)));
    let told = matches!(&second, Err(Error::Container(ContainerError::StartFailed { message, .. }))
        if message.contains("already") && message.contains(&port.to_string()));
    check(told, || format!("{second:?}"))?;
    check(!bench.knows(&name)?, || "what could not start is left".to_owned())?;
    bench.wait(first.shutdown())?;
    // It is free again.
    let third = made(bench, spec())?;
    Ok(bench.wait(third.shutdown())?)
}

pub(super) fn a_network_has_its_containers<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let name = format!("pd-test-{}", bench.random());
    let body = json!({ "Name": name, "Driver": "bridge" }).to_string();
    let (status, answer) = bench.peer.request("POST", "/networks/create", body.as_bytes())?;
    check(status == 201, || String::from_utf8_lossy(&answer).into_owned())?;
    let verdict = (|| -> Verdict {
        let spec = || ContainerSpec::new(images::PYTHON).network(Network::Named(name.clone()));
        let (one, two) = (made(bench, spec())?, made(bench, spec())?);
        let info = bench.wait(one.info())?;
        let [network] = &info.networks[..] else {
            return Err(format!("{:?}", info.networks).into());
        };
        same("network", network.name.as_str(), name.as_str())?;
        let address = network.ipv4.ok_or("it has no address")?.to_string();
        let gateway = network.gateway.ok_or("it has no way out")?.to_string();
        let route = bench.wait(one.run(Command::lang("python", GATEWAY)))?;
        same("gateway", route.stdout_text().trim(), gateway.as_str())?;
        let server = bench.wait(one.spawn(Command::lang("python", SERVER)))?;
        // From the same network, and from the default one's neighbour that has none.
        let place = format!("tcp:{address}:8000");
        let ask = |place: &str| Command::argv(["python3", "-c", CLIENT, place]);
        let seen = bench.wait(two.run(ask(&place)))?;
        let hostname = said(bench, &one, "hostname")?;
        same(
            "from the same network",
            seen.stdout_text().trim().to_owned(),
            format!("{place} {hostname}"),
        )?;
        let apart = bench.python()?;
        let place = format!("!{place}");
        let seen = bench.wait(apart.run(ask(&place)))?;
        same(
            "from none",
            seen.stdout_text().trim().to_owned(),
            format!("{place} nobody"),
        )?;
        drop(server);
        bench.wait(one.shutdown())?;
        bench.wait(two.shutdown())?;
        Ok(bench.wait(apart.shutdown())?)
    })();
    let (status, answer) = bench.peer.request("DELETE", &format!("/networks/{name}"), b"")?;
    verdict?;
    check(status < 300, || {
        format!("the network stays: {}", String::from_utf8_lossy(&answer))
    })
}
