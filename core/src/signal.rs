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
    /// The signal that an exit code of more than 128 stands for, by the numbers that Linux gives them on most machines.
    #[must_use]
    pub fn from_exit_code(code: i32) -> Option<Self> {
        Some(match code.checked_sub(128)? {
            1 => Self::Hup,
            2 => Self::Int,
            3 => Self::Quit,
            9 => Self::Kill,
            10 => Self::Usr1,
            12 => Self::Usr2,
            13 => Self::Pipe,
            14 => Self::Alrm,
            15 => Self::Term,
            18 => Self::Cont,
            19 => Self::Stop,
            28 => Self::Winch,
            _ => return None,
        })
    }

    /// Its number, as Linux has it on most machines.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Hup => 1,
            Self::Int => 2,
            Self::Quit => 3,
            Self::Kill => 9,
            Self::Usr1 => 10,
            Self::Usr2 => 12,
            Self::Pipe => 13,
            Self::Alrm => 14,
            Self::Term => 15,
            Self::Cont => 18,
            Self::Stop => 19,
            Self::Winch => 28,
        }
    }

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
