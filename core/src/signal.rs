//! Signals by name.

use std::fmt;

/// A signal to the main process of a container, or to all processes of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// Hang-up.
    Hup,
    /// Interrupt, as by Ctrl-C.
    Int,
    /// Quit, with a core dump where enabled.
    Quit,
    /// End at once. Cannot be caught.
    Kill,
    /// A write that nobody reads.
    Pipe,
    /// A timer that ran out.
    Alrm,
    /// User-defined 1.
    Usr1,
    /// User-defined 2.
    Usr2,
    /// End, please.
    Term,
    /// Continue after a stop.
    Cont,
    /// Stop. Cannot be caught.
    Stop,
    /// The terminal has another size.
    Winch,
}

impl Signal {
    /// Its name, such as `SIGTERM`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hup => "SIGHUP",
            Self::Int => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Kill => "SIGKILL",
            Self::Pipe => "SIGPIPE",
            Self::Alrm => "SIGALRM",
            Self::Usr1 => "SIGUSR1",
            Self::Usr2 => "SIGUSR2",
            Self::Term => "SIGTERM",
            Self::Cont => "SIGCONT",
            Self::Stop => "SIGSTOP",
            Self::Winch => "SIGWINCH",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
