//! Bring your own runtime: how a call is driven, by hand or by an executor that has no adapter crate yet.
//!
//! # What there is
//!
//! A call is an [`Op`]: a state machine that touches neither socket nor clock. It is polled with the time and a
//! [`Link`], which holds the bytes that came in and those that are to go out. Each poll ends in a [`Step`]: the result,
//! or what the call needs now. Whoever does that, and polls again, is the driver; there is nothing else to know.
//!
//! | the operation says | the driver does |
//! |---|---|
//! | [`Step::Done`], or an error | Drops the operation and its connections. It is never polled again. |
//! | [`Need::Dial`] | Closes the connection, opens one, tells [`Link::dialled`] or [`Link::dial_failed`]. |
//! | [`Need::Swap`] | [`Link::swap`], and exchanges the connection and the one set aside. |
//! | [`Need::Keep`] | Puts the connection into the slot, as a [`Kept`](crate::Kept), then [`Link::hang_up`]. |
//! | [`Need::Wait`] | Sends what is [`outgoing`](crate::Link::outgoing); reads if told to; waits only if neither moved a byte. |
//!
//! The rules that are easily broken:
//!
//! - **Both directions, always.** Never write to the end and then read: a large input with a large output would stand
//!   still. Where a read is not wanted, do not read: the bytes stay in the kernel, and hold the peer up.
//! - **After each poll, close the socket if the link is not [open](crate::Link::is_open) any more.** An engine that is
//!   waiting for us to read an old connection does not answer on a new one.
//! - **When [`take_finish`](crate::Link::take_finish) says so, close the sending side**, and only that.
//! - **An end is a byte that moved.** Tell it with [`end_received`](crate::Link::end_received), poll, and do not wait
//!   for that direction again.
//! - **Before each poll, [lend](crate::Link::lend) a waker.** An operation may wait for what another one does, without a
//!   byte or a time to end its wait. When the waker is woken, from whatever thread, poll the operation again, however it
//!   sleeps. What wakes it after a poll has begun must not be lost.
//! - **The time is an argument, and never goes backwards.** `until` is when to poll at the latest. To poll without a
//!   reason does no harm.
//! - **When nobody wants the result any more, ask [`Op::abandon`].** If it says true, drive the operation on to its
//!   end, somewhere, with the link and the connections that it has: it kills what it started, or removes what it made.
//!
//! # Beside calls
//!
//! Three things go on while nobody waits for them, and a [`Runtime`] has a method for each:
//!
//! | method | what for | it must |
//! |---|---|---|
//! | [`finish`](crate::Runtime::finish) | What is to be undone: a container that was dropped. | Drive it to its end, in the caller's stead or soon. |
//! | [`attend`](crate::Runtime::attend) | What gathers the output of a process. It may take hours. | Drive it beside everything else, and not hold up the caller. |
//! | [`offload`](crate::Runtime::offload) | A user's callback. It may block. | Call it on a thread where that harms nobody. |
//!
//! What is finished, and any call, may wait for what is attended. So `attend` must never share a thread with those, unless
//! that thread takes turns between them.
//!
//! # By hand
//!
//! What a call *returns* is a [`Runtime`]'s to say. One that returns the operation itself makes the whole of
//! [`Engine`](crate::Engine) and [`Container`](crate::Container) a source of operations:
//!
//! ```
//! use std::io::{ErrorKind, Read, Write};
//! use std::net::Shutdown;
//! use std::os::unix::net::UnixStream;
//! use std::sync::Arc;
//! use std::task::Waker;
//! use std::time::{Duration, Instant};
//!
//! use pocket_dock_core::{ContainerSpec, Engine, Error, Host, Kept, Link, Need, Op, Runtime, Step};
//!
//! /// Calls give operations. The host is the standard library's, that of `pocket_dock_blocking::StdHost` for example.
//! #[derive(Debug, Clone)]
//! struct ByHand(Arc<dyn Host>);
//!
//! impl Runtime for ByHand {
//!     type Returns<O: Op> = O;
//!
//!     fn drive<O: Op>(&self, op: O) -> O {
//!         op
//!     }
//!
//!     /// What a dropped container leaves: it must be driven too, here or later.
//!     fn finish<O: Op>(&self, op: O) {
//!         drop(drive(op));
//!     }
//!
//!     /// What gathers output: it gets a thread.
//!     fn attend<O: Op>(&self, op: O) {
//!         std::thread::spawn(move || drop(drive(op)));
//!     }
//!
//!     /// What may block, likewise.
//!     fn offload(&self, job: Box<dyn FnOnce() + Send>) {
//!         std::thread::spawn(job);
//!     }
//!
//!     fn host(&self) -> Arc<dyn Host> {
//!         self.0.clone()
//!     }
//! }
//!
//! fn hello(host: Arc<dyn Host>) -> Result<(), Error> {
//!     let engine = drive(Engine::connect_with(ByHand(host), Default::default()))?;
//!     let sandbox = drive(engine.create(ContainerSpec::new("pocket-dock/minimal")))?;
//!     let result = drive(sandbox.run("echo hello"))?;
//!     print!("{}", result.stdout_text());
//!     drive(sandbox.shutdown())
//! }
//!
//! /// The plainest driver that is right.
//! fn drive<O: Op>(mut op: O) -> Result<O::Output, Error> {
//!     let mut link = Link::default();
//!     let (mut socket, mut aside) = (None, None);
//!     loop {
//!         link.lend(Waker::noop()); // nobody has to wake what looks every millisecond
//!         let step = op.poll(Instant::now(), &mut link)?;
//!         if !link.is_open() {
//!             socket = None;
//!         }
//!         match step {
//!             Step::Done(output) => return Ok(output),
//!             Step::Need(Need::Dial { at, .. }) => match UnixStream::connect(at.path()).and_then(nonblocking) {
//!                 Ok(fresh) => {
//!                     socket = Some(fresh);
//!                     link.dialled();
//!                 }
//!                 Err(error) => link.dial_failed(error.kind()),
//!             },
//!             Step::Need(Need::Swap) => {
//!                 link.swap();
//!                 std::mem::swap(&mut socket, &mut aside);
//!             }
//!             Step::Need(Need::Keep(slot)) => {
//!                 socket.take().map(|socket| slot.put(Box::new(Held(socket))));
//!                 link.hang_up();
//!             }
//!             Step::Need(Need::Wait { read, .. }) => {
//!                 let moved = socket.as_mut().is_some_and(|socket| pump(socket, &mut link, read));
//!                 if !moved {
//!                     std::thread::sleep(Duration::from_millis(1));
//!                 }
//!             }
//!         }
//!     }
//! }
//!
//! /// What outlives its call, and is there to be held: nothing is said on it, but when its peer ends.
//! struct Held(UnixStream);
//!
//! impl Kept for Held {
//!     fn is_closed(&self) -> bool {
//!         !matches!((&self.0).read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
//!     }
//! }
//!
//! fn nonblocking(socket: UnixStream) -> std::io::Result<UnixStream> {
//!     socket.set_nonblocking(true).map(|()| socket)
//! }
//!
//! /// Moves what can be moved; whether that was anything.
//! fn pump(socket: &mut UnixStream, link: &mut Link, read: bool) -> bool {
//!     let mut moved = false;
//!     if link.has_pending() {
//!         match socket.write(link.outgoing()) {
//!             Ok(count) => {
//!                 link.sent(count);
//!                 moved = true;
//!             }
//!             Err(error) if error.kind() == ErrorKind::WouldBlock => {}
//!             Err(error) => link.end_sending(error.kind()),
//!         }
//!     }
//!     if link.take_finish() {
//!         moved |= socket.shutdown(Shutdown::Write).is_ok();
//!     }
//!     if !read || link.is_eof() {
//!         return moved;
//!     }
//!     let mut buffer = [0; 16384];
//!     match socket.read(&mut buffer) {
//!         Ok(0) => link.end_received(None),
//!         Ok(count) => link.space().extend_from_slice(&buffer[..count]),
//!         Err(error) if error.kind() == ErrorKind::WouldBlock => return moved,
//!         Err(error) => link.end_received(Some(error.kind())),
//!     }
//!     true
//! }
//! ```
//!
//! This driver looks every millisecond whether anything can be moved, where a real one lets the system tell it.
//! `examples/by_hand.rs` of `pocket-dock-blocking` does that with `poll(2)`, for several operations at once on one thread,
//! with a waker that ends the sleep.
//!
//! # An async runtime
//!
//! [`Driving`] is the driver as a future, for every executor. Of the runtime it needs a [`Reactor`]: sockets that do not
//! block, and timers. Implement that, then [`Runtime`] with `type Returns<O: Op> = Driving<O, Self>`, and every call is
//! a future that is `Send`, does bounded work per poll, and cleans up when it is dropped. `pocket-dock-smol` is the
//! model: 80 lines. Of `pocket_dock_blocking::adapter` it uses what all adapters need: a connect that does not wait, a
//! send without SIGPIPE, `finish_in_background` for what dropped futures and containers leave, and `attend` and `offload`,
//! which are on threads of their own and so outlive an executor that shuts down.
//!
//! # Threads
//!
//! `type Returns<O: Op>` may be anything that an operation can become. `examples/own_runtime.rs` of
//! `pocket-dock-blocking` makes each call a thread that is to be joined.
//!
//! [`Driving`]: crate::Driving
//! [`Reactor`]: crate::Reactor
//! [`Link`]: crate::Link
//! [`Link::dialled`]: crate::Link::dialled
//! [`Link::dial_failed`]: crate::Link::dial_failed
//! [`Link::swap`]: crate::Link::swap
//! [`Link::hang_up`]: crate::Link::hang_up
//! [`Need::Dial`]: crate::Need::Dial
//! [`Need::Swap`]: crate::Need::Swap
//! [`Need::Keep`]: crate::Need::Keep
//! [`Need::Wait`]: crate::Need::Wait
//! [`Op`]: crate::Op
//! [`Op::abandon`]: crate::Op::abandon
//! [`Runtime`]: crate::Runtime
//! [`Step`]: crate::Step
//! [`Step::Done`]: crate::Step::Done
