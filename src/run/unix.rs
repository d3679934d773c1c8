//! System calls that neither std nor rustix has a safe word for: fork, what happens between fork and
//! exec, and what a process does on a signal. Each is made safe here, and nowhere else; what they
//! are for is told by [`super::monitor`], [`super::spawn`] and [`super::job`].
#![allow(unsafe_code, reason = "libc calls, each with the reason why it is sound")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Pid;
use rustix::termios::tcsetpgrp;

/// Makes a copy of this process, which lives `life` with its own copy of `with` and then ends.
/// Returns its pid, and `with`.
///
/// The runner has one thread, and so has `ig gen`: the copy may do all that the original may.
pub(crate) fn copy<T>(with: T, life: impl FnOnce(T) -> i32) -> io::Result<(Pid, T)> {
    // SAFETY: one thread: no lock can be held by somebody that the copy does not have.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = catch_unwind(AssertUnwindSafe(|| life(with))).unwrap_or(1);
            // SAFETY: takes a number and does not return. The last acts are the original's.
            unsafe { libc::_exit(code) }
        }
        pid => Pid::from_raw(pid).map(|pid| (pid, with)).ok_or_else(io::Error::last_os_error),
    }
}

/// Makes `command` lead a process group, in the foreground of its terminal if so wished: before it
/// runs, so that it never sees anything else.
pub(super) fn in_own_group(command: &mut Command, foreground: bool) {
    // SAFETY: setpgid, ioctl and sigaction are async-signal-safe, and nothing here allocates or locks.
    unsafe {
        command.pre_exec(move || {
            rustix::process::setpgid(None, None)?;
            if foreground {
                let own = rustix::process::getpid();
                ignoring(libc::SIGTTOU, || tcsetpgrp(rustix::stdio::stdin(), own))?;
            }
            Ok(())
        });
    }
}

/// Whether SIGPIPE was ignored when we were started: the standard library ignores it before `main`.
static PIPE_WAS_IGNORED: AtomicBool = AtomicBool::new(false);

/// Called before anything of ours, and before the standard library's own beginning.
extern "C" fn look_at_pipe() {
    PIPE_WAS_IGNORED.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
}

// SAFETY: what stands in this section is called once at the start, with arguments that a function
// without any may ignore; this one needs nothing that would not be there yet.
#[used]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
static AT_START: extern "C" fn() = look_at_pipe;

/// What our caller had set for signals. The command is to find it the same.
#[derive(Clone, Copy)]
pub(super) struct Found {
    /// One bit for each signal that is ignored.
    ignored: u64,
    mask: libc::sigset_t,
}

impl Found {
    /// As it is now: to be called before any of it is changed.
    pub(super) fn now() -> Self {
        let mut mask = set(&[]).0;
        // SAFETY: only reads the present mask into `mask`.
        unsafe { libc::sigprocmask(libc::SIG_BLOCK, ptr::null(), &raw mut mask) };
        let pipe = PIPE_WAS_IGNORED.load(Ordering::Relaxed);
        let was_ignored =
            |signal: &i32| if *signal == libc::SIGPIPE { pipe } else { is_ignored(*signal) };
        let ignored = SIGNALS.filter(was_ignored).fold(0, |all, signal| all | bit(signal));
        Self { ignored, mask }
    }

    /// Lets `command` begin with it. Programs that are started in other ways than by fork have some
    /// signals of the C library's own ignored, which nobody asked for: this makes it a fork.
    pub(super) fn pass_on(self, command: &mut Command) {
        // SAFETY: sigaction and sigprocmask are async-signal-safe, and nothing here allocates or locks.
        unsafe {
            command.pre_exec(move || {
                self.restore();
                Ok(())
            });
        }
    }

    fn restore(&self) {
        for signal in SIGNALS {
            match (self.ignored & bit(signal) != 0, is_ignored(signal)) {
                (true, false) => ignore(signal),
                (false, true) => reset(signal),
                _ => {}
            }
        }
        // SAFETY: the mask is whole, and no old one is asked for.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut()) };
    }
}

/// All there are on any system; who asks for one that is not there hears that.
const SIGNALS: std::ops::RangeInclusive<i32> = 1..=64;

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Has `signal` do nothing.
pub(super) fn ignore(signal: i32) {
    set_handler(signal, libc::SIG_IGN);
}

/// Has the kernel tell us of `signals`, whatever our caller held back.
pub(super) fn let_through(signals: &[i32]) {
    let wanted = set(signals);
    // SAFETY: the set is whole (see `set`), and no old one is asked for.
    unsafe { libc::sigprocmask(libc::SIG_UNBLOCK, &raw const wanted.0, ptr::null_mut()) };
}

/// Closes every file of this process but `kept` and its streams. For a copy of a process that lives on
/// with these alone and never returns to what had the others.
pub(super) fn close_all_but(kept: &[BorrowedFd<'_>]) {
    let is_kept = |fd: &i32| *fd > 2 && !kept.iter().any(|kept| kept.as_raw_fd() == *fd);
    let dir = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    let open: Vec<i32> = match std::fs::read_dir(dir) {
        Ok(entries) => {
            let names = entries.flatten().map(|entry| entry.file_name());
            names.filter_map(|name| name.to_str()?.parse().ok()).collect()
        }
        Err(_) => (3..1024).collect(),
    };
    for fd in open.into_iter().filter(is_kept) {
        // SAFETY: nobody here uses it any more, see above.
        unsafe { libc::close(fd) };
    }
}

/// A child of ours that has ended and waits to be reaped, whoever it is; it goes on waiting.
pub(super) fn ended_child() -> Option<Pid> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: writes `info` alone, which is whole when all of it is zero.
    let answer = unsafe { libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), flags) };
    // SAFETY: see above; where no child is told of, its pid stays 0.
    let pid = unsafe { info.assume_init().si_pid() };
    Pid::from_raw(pid).filter(|_| answer == 0)
}

/// How the process behind a pidfd ended, as wait(2) would tell it; none while it lives or waits to be
/// reaped, and before Linux 6.15. Whoever holds a pidfd may ask, parent or not.
#[cfg(target_os = "linux")]
pub(crate) fn exit_of(pidfd: BorrowedFd<'_>) -> Option<std::process::ExitStatus> {
    use std::os::unix::process::ExitStatusExt;

    /// `struct pidfd_info` of linux/pidfd.h as it was first.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        mask: u64,
        cgroup: u64,
        ids: [u32; 11],
        exit_code: i32,
    }
    /// `PIDFD_INFO_EXIT`.
    const EXIT: u64 = 1 << 3;
    /// `PIDFD_GET_INFO`: `_IOWR(0xFF, 11, struct pidfd_info)`.
    // The C libraries do not agree on the type.
    #[allow(clippy::cast_possible_wrap, clippy::cast_lossless, reason = "the bits are what counts")]
    const GET_INFO: libc::Ioctl = 0xc040_ff0b_u32 as libc::Ioctl;
    const { assert!(size_of::<Info>() == 64) };

    let mut info = Info { mask: EXIT, ..Info::default() };
    // SAFETY: the kernel writes no more than the size that stands in the number, which is that of
    // `info`, and that may hold any bits.
    let answer = unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO, &raw mut info) };
    (answer == 0 && info.mask & EXIT != 0)
        .then(|| std::process::ExitStatus::from_raw(info.exit_code))
}

/// Whether our caller had `signal` ignored.
pub(super) fn is_ignored(signal: i32) -> bool {
    action(signal).is_some_and(|action| action.sa_sigaction == libc::SIG_IGN)
}

/// Gives `signal` its default meaning again.
pub(super) fn reset(signal: i32) {
    set_handler(signal, libc::SIG_DFL);
}

/// Calls `act` while `signal` is ignored.
pub(super) fn ignoring<T>(signal: i32, act: impl FnOnce() -> T) -> T {
    while_handled(signal, libc::SIG_IGN, act)
}

/// Calls `act` while `signal` has its default meaning.
pub(super) fn by_default<T>(signal: i32, act: impl FnOnce() -> T) -> T {
    while_handled(signal, libc::SIG_DFL, act)
}

fn while_handled<T>(signal: i32, handler: usize, act: impl FnOnce() -> T) -> T {
    let before = action(signal);
    set_handler(signal, handler);
    let result = act();
    if let Some(before) = before {
        // SAFETY: `before` came from sigaction itself.
        unsafe { libc::sigaction(signal, &raw const before, ptr::null_mut()) };
    }
    result
}

fn action(signal: i32) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::uninit();
    // SAFETY: only reads the present action into `action`, which is whole when the answer is 0.
    let answer = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: see above.
    (answer == 0).then(|| unsafe { action.assume_init() })
}

fn set_handler(signal: i32, handler: usize) {
    // SAFETY: the handler is SIG_DFL or SIG_IGN, never a function.
    unsafe { libc::signal(signal, handler) };
}

/// How far local time is ahead of UTC at `at` seconds after 1970, in seconds: by `TZ`, else as the
/// system is set up. None where the C library cannot tell.
pub(crate) fn local_offset(at: i64) -> Option<i64> {
    let mut local = MaybeUninit::uninit();
    // SAFETY: reads the one and writes the other, both ours; and nobody in this program changes the
    // environment, where `TZ` stands.
    let answer = unsafe { libc::localtime_r(&raw const at, local.as_mut_ptr()) };
    // SAFETY: what was answered is `local`, filled.
    (!answer.is_null()).then(|| unsafe { local.assume_init() }.tm_gmtoff)
}

/// Signals that are held back, to be asked for one by one.
pub(super) struct Held(libc::sigset_t);

impl Held {
    /// Holds back `asked` for [`Held::next`], and `deaf` for good.
    pub(super) fn hold(asked: &[i32], deaf: &[i32]) -> Self {
        for held in [set(asked), set(deaf)] {
            // SAFETY: the set is whole (see `set`), and no old one is asked for.
            unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const held.0, ptr::null_mut()) };
        }
        set(asked)
    }

    /// Waits for the next one.
    pub(super) fn next(&self) -> i32 {
        let mut signal = 0;
        // SAFETY: both point to what lives here.
        unsafe { libc::sigwait(&raw const self.0, &raw mut signal) };
        signal
    }
}

fn set(signals: &[i32]) -> Held {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset makes the set whole before anything else touches it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        Held(set.assume_init())
    }
}
